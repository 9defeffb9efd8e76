// Pooling over planes of height x width; planes are items x channels.

extern "C" __global__ void max_forward(
    const stored* x, stored* y, int* places, float lowest, int planes, int height, int width,
    int kernel_h, int kernel_w, int stride_h, int stride_w, int pad_h, int pad_w, Extent out_h,
    Extent out_w)
{
    EACH(i, planes * out_h.count * out_w.count) {
        Spot at(i, out_h, out_w);
        const stored* plane = x + (unsigned)at.plane * height * width;
        int top = at.y * stride_h - pad_h, left = at.x * stride_w - pad_w;
        int bottom = min(top + kernel_h, height), right = min(left + kernel_w, width);
        float greatest = lowest;
        int place = -1;
        for (int iy = max(top, 0); iy < bottom; ++iy)
            for (int ix = max(left, 0); ix < right; ++ix) {
                float value = plane[iy * width + ix];
                if (value > greatest) {
                    greatest = value;
                    place = iy * width + ix;
                }
            }
        y[i] = greatest;
        if (places) places[i] = place;
    }
}

// The first and the last window, along one axis, that contain a place.
__device__ int first_window(int at, int pad, int kernel, Extent stride)
{
    int reach = at + pad - kernel;
    return reach < 0 ? 0 : (unsigned)reach / stride + 1;
}

__device__ int last_window(int at, int pad, Extent stride, int windows)
{
    return min((int)((unsigned)(at + pad) / stride), windows - 1);
}

extern "C" __global__ void max_backward(
    const stored* dy, const int* places, stored* dx, int planes, Extent height, Extent width,
    int kernel_h, int kernel_w, Extent stride_h, Extent stride_w, int pad_h, int pad_w, int out_h,
    int out_w)
{
    EACH(i, planes * height.count * width.count) {
        Spot at(i, height, width);
        unsigned plane = (unsigned)at.plane * out_h * out_w;
        int place = at.y * at.width + at.x;
        int last_y = last_window(at.y, pad_h, stride_h, out_h);
        int last_x = last_window(at.x, pad_w, stride_w, out_w);
        int first_x = first_window(at.x, pad_w, kernel_w, stride_w);
        float total = 0.0f;
        for (int oy = first_window(at.y, pad_h, kernel_h, stride_h); oy <= last_y; ++oy)
            for (int ox = first_x; ox <= last_x; ++ox)
                if (places[plane + oy * out_w + ox] == place) total += dy[plane + oy * out_w + ox];
        dx[i] = total;
    }
}

// Padding counts up to the padded border.
__device__ int extent(int start, int kernel, int size, int pad)
{
    return min(start + kernel, size + pad) - start;
}

extern "C" __global__ void mean_forward(
    const stored* x, stored* y, int planes, int height, int width, int kernel_h, int kernel_w,
    int stride_h, int stride_w, int pad_h, int pad_w, Extent out_h, Extent out_w)
{
    EACH(i, planes * out_h.count * out_w.count) {
        Spot at(i, out_h, out_w);
        const stored* plane = x + (unsigned)at.plane * height * width;
        int top = at.y * stride_h - pad_h, left = at.x * stride_w - pad_w;
        int bottom = min(top + kernel_h, height), right = min(left + kernel_w, width);
        float total = 0.0f;
        for (int iy = max(top, 0); iy < bottom; ++iy)
            for (int ix = max(left, 0); ix < right; ++ix) total += plane[iy * width + ix];
        int size = extent(top, kernel_h, height, pad_h) * extent(left, kernel_w, width, pad_w);
        y[i] = total * (1.0f / (float)size);
    }
}

extern "C" __global__ void mean_backward(
    const stored* dy, stored* dx, int planes, Extent height, Extent width, int kernel_h,
    int kernel_w, Extent stride_h, Extent stride_w, int pad_h, int pad_w, int out_h, int out_w)
{
    EACH(i, planes * height.count * width.count) {
        Spot at(i, height, width);
        unsigned plane = (unsigned)at.plane * out_h * out_w;
        int last_y = last_window(at.y, pad_h, stride_h, out_h);
        int last_x = last_window(at.x, pad_w, stride_w, out_w);
        int first_x = first_window(at.x, pad_w, kernel_w, stride_w);
        float total = 0.0f;
        for (int oy = first_window(at.y, pad_h, kernel_h, stride_h); oy <= last_y; ++oy) {
            int tall = extent(oy * stride_h.count - pad_h, kernel_h, at.height, pad_h);
            for (int ox = first_x; ox <= last_x; ++ox) {
                int size = tall * extent(ox * stride_w.count - pad_w, kernel_w, at.width, pad_w);
                total += dy[plane + oy * out_w + ox] * (1.0f / (float)size);
            }
        }
        dx[i] = total;
    }
}

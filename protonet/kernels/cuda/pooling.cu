// Pooling over planes of height x width; planes are items x channels.

extern "C" __global__ void max_forward(
    const stored* x, stored* y, int* places, float lowest, int planes, int height, int width,
    int kernel_h, int kernel_w, int stride_h, int stride_w, int pad_h, int pad_w, int out_h,
    int out_w)
{
    EACH(i, (wide)planes * out_h * out_w) {
        const stored* plane = x + i / ((wide)out_h * out_w) * height * width;
        int top = (int)(i / out_w % out_h) * stride_h - pad_h;
        int left = (int)(i % out_w) * stride_w - pad_w;
        float greatest = lowest;
        int place = -1;
        for (int iy = max(top, 0); iy < min(top + kernel_h, height); ++iy)
            for (int ix = max(left, 0); ix < min(left + kernel_w, width); ++ix)
                if (plane[iy * width + ix] > greatest) {
                    greatest = plane[iy * width + ix];
                    place = iy * width + ix;
                }
        y[i] = greatest;
        if (places) places[i] = place;
    }
}

// The windows that look at a place: from this one on, along one axis.
__device__ int first_window(int at, int pad, int kernel, int stride)
{
    int reach = at + pad - kernel;
    return reach < 0 ? 0 : reach / stride + 1;
}

extern "C" __global__ void max_backward(
    const stored* dy, const int* places, stored* dx, int planes, int height, int width,
    int kernel_h, int kernel_w, int stride_h, int stride_w, int pad_h, int pad_w, int out_h,
    int out_w)
{
    EACH(i, (wide)planes * height * width) {
        int ix = (int)(i % width), iy = (int)(i / width % height);
        wide plane = i / ((wide)height * width) * out_h * out_w;
        int last_y = min((iy + pad_h) / stride_h, out_h - 1);
        int last_x = min((ix + pad_w) / stride_w, out_w - 1);
        float total = 0.0f;
        for (int oy = first_window(iy, pad_h, kernel_h, stride_h); oy <= last_y; ++oy)
            for (int ox = first_window(ix, pad_w, kernel_w, stride_w); ox <= last_x; ++ox)
                if (places[plane + oy * out_w + ox] == iy * width + ix)
                    total += dy[plane + oy * out_w + ox];
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
    int stride_h, int stride_w, int pad_h, int pad_w, int out_h, int out_w)
{
    EACH(i, (wide)planes * out_h * out_w) {
        const stored* plane = x + i / ((wide)out_h * out_w) * height * width;
        int top = (int)(i / out_w % out_h) * stride_h - pad_h;
        int left = (int)(i % out_w) * stride_w - pad_w;
        float total = 0.0f;
        for (int iy = max(top, 0); iy < min(top + kernel_h, height); ++iy)
            for (int ix = max(left, 0); ix < min(left + kernel_w, width); ++ix)
                total += plane[iy * width + ix];
        int size = extent(top, kernel_h, height, pad_h) * extent(left, kernel_w, width, pad_w);
        y[i] = total * (1.0f / (float)size);
    }
}

extern "C" __global__ void mean_backward(
    const stored* dy, stored* dx, int planes, int height, int width, int kernel_h, int kernel_w,
    int stride_h, int stride_w, int pad_h, int pad_w, int out_h, int out_w)
{
    EACH(i, (wide)planes * height * width) {
        int ix = (int)(i % width), iy = (int)(i / width % height);
        wide plane = i / ((wide)height * width) * out_h * out_w;
        int last_y = min((iy + pad_h) / stride_h, out_h - 1);
        int last_x = min((ix + pad_w) / stride_w, out_w - 1);
        float total = 0.0f;
        for (int oy = first_window(iy, pad_h, kernel_h, stride_h); oy <= last_y; ++oy)
            for (int ox = first_window(ix, pad_w, kernel_w, stride_w); ox <= last_x; ++ox) {
                int size = extent(oy * stride_h - pad_h, kernel_h, height, pad_h)
                    * extent(ox * stride_w - pad_w, kernel_w, width, pad_w);
                total += dy[plane + oy * out_w + ox] * (1.0f / (float)size);
            }
        dx[i] = total;
    }
}

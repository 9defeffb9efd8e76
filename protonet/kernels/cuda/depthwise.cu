// Convolutions in which every channel is a group of its own, with `multiple` outputs each.

extern "C" __global__ void forward(
    const stored* x, const float* w, const float* factor, const float* bias, stored* y, int items,
    int multiple, int rectify, int channels, int height, int width, int kernel_h, int kernel_w,
    int stride_h, int stride_w, int pad_h, int pad_w, int dilation_h, int dilation_w, int out_h,
    int out_w)
{
    int outputs = channels * multiple, extent = kernel_h * kernel_w;
    EACH(i, (wide)items * outputs * out_h * out_w) {
        int ox = (int)(i % out_w), oy = (int)(i / out_w % out_h);
        int output = (int)(i / ((wide)out_w * out_h) % outputs);
        wide item = i / ((wide)out_w * out_h * outputs);
        const stored* plane = x + (item * channels + output / multiple) * height * width;
        const float* kernel = w + (wide)output * extent;
        float total = 0.0f;
        for (int ky = 0; ky < kernel_h; ++ky) {
            int iy = oy * stride_h - pad_h + ky * dilation_h;
            if (iy < 0 || iy >= height) continue;
            for (int kx = 0; kx < kernel_w; ++kx) {
                int ix = ox * stride_w - pad_w + kx * dilation_w;
                if (ix >= 0 && ix < width)
                    total += kernel[ky * kernel_w + kx] * plane[iy * width + ix];
            }
        }
        if (factor) total *= factor[output];
        if (bias) total += bias[output];
        y[i] = rectify ? rectified(total) : total;
    }
}

extern "C" __global__ void backward(
    const stored* dy, const float* w, stored* dx, int items, int multiple, int channels, int height,
    int width, int kernel_h, int kernel_w, int stride_h, int stride_w, int pad_h, int pad_w,
    int dilation_h, int dilation_w, int out_h, int out_w)
{
    int extent = kernel_h * kernel_w, places = out_h * out_w;
    EACH(i, (wide)items * channels * height * width) {
        int ix = (int)(i % width), iy = (int)(i / width % height);
        int channel = (int)(i / ((wide)width * height) % channels);
        wide item = i / ((wide)width * height * channels);
        float total = 0.0f;
        for (int ky = 0; ky < kernel_h; ++ky) {
            int sy = iy + pad_h - ky * dilation_h;
            if (sy < 0 || sy % stride_h || sy / stride_h >= out_h) continue;
            for (int kx = 0; kx < kernel_w; ++kx) {
                int sx = ix + pad_w - kx * dilation_w;
                if (sx < 0 || sx % stride_w || sx / stride_w >= out_w) continue;
                int place = sy / stride_h * out_w + sx / stride_w;
                for (int m = 0; m < multiple; ++m) {
                    wide output = (wide)channel * multiple + m;
                    total += w[output * extent + ky * kernel_w + kx]
                        * dy[(item * channels * multiple + output) * places + place];
                }
            }
        }
        dx[i] = total;
    }
}

// One block for each weight.
extern "C" __global__ void learn(
    const stored* dy, const stored* x, float* dw, int items, int multiple, int channels, int height,
    int width, int kernel_h, int kernel_w, int stride_h, int stride_w, int pad_h, int pad_w,
    int dilation_h, int dilation_w, int out_h, int out_w)
{
    __shared__ float shared[BLOCK];
    int extent = kernel_h * kernel_w, places = out_h * out_w;
    int output = blockIdx.x / extent, kx = blockIdx.x % kernel_w;
    int ky = blockIdx.x % extent / kernel_w;
    float total = 0.0f;
    for (wide i = threadIdx.x; i < (wide)items * places; i += BLOCK) {
        wide item = i / places;
        int place = (int)(i % places);
        int iy = place / out_w * stride_h - pad_h + ky * dilation_h;
        int ix = place % out_w * stride_w - pad_w + kx * dilation_w;
        if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
        total += dy[(item * channels * multiple + output) * places + place]
            * x[((item * channels + output / multiple) * height + iy) * width + ix];
    }
    total = block_sum(total, shared);
    if (threadIdx.x == 0) dw[blockIdx.x] += total;
}

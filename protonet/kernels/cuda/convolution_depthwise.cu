// Depthwise convolution: every channel is a group of its own, with `multiple` outputs each.
//
// H and W are the extents of the kernel where they are compile-time constants, so that its loops
// are unrolled and its weights are in registers; 0 where they are not. `TAPS` selects the instance.
#define TAPS(function, ...) \
    if (kernel_h == 3 && kernel_w == 3) function<3, 3>(__VA_ARGS__); \
    else function<0, 0>(__VA_ARGS__)

// The arguments that all functions share, in launch order.
struct Shape {
    int items, channels, height, width, kernel_h, kernel_w, pad_h, pad_w, dilation_h, dilation_w;
};

// Outputs of a row per thread, with a stride of `strips`: adjacent threads access adjacent memory.
#define STRIP 4

template <int H, int W>
__device__ void forward_of(
    const stored* x, const float* w, const float* factor, const float* bias, stored* y, Shape of,
    int multiple, int rectify, int stride_h, int stride_w, Extent out_h, int out_w, Extent strips,
    Extent outputs)
{
    int kernel_h = H ? H : of.kernel_h, kernel_w = W ? W : of.kernel_w;
    EACH(i, of.items * outputs.count * out_h.count * strips.count) {
        Spot at(i, out_h, strips);
        unsigned item = (unsigned)at.plane / outputs, output = at.plane - item * outputs.count;
        unsigned channel = multiple == 1 ? output : output / multiple;
        const stored* plane = x + (item * of.channels + channel) * of.height * of.width;
        const float* kernel = w + output * kernel_h * kernel_w;
        float totals[STRIP] = {};
        for (int ky = 0; ky < kernel_h; ++ky) {
            int iy = at.y * stride_h - of.pad_h + ky * of.dilation_h;
            if (iy < 0 || iy >= of.height) continue;
            const stored* line = plane + iy * of.width;
            for (int kx = 0; kx < kernel_w; ++kx) {
                float weight = kernel[ky * kernel_w + kx];
                for (int k = 0; k < STRIP; ++k) {
                    int ix = (at.x + k * strips.count) * stride_w - of.pad_w + kx * of.dilation_w;
                    if (ix >= 0 && ix < of.width) totals[k] += weight * line[ix];
                }
            }
        }
        stored* row = y + ((unsigned)at.plane * out_h.count + at.y) * out_w;
        for (int k = 0; k < STRIP; ++k) {
            int ox = at.x + k * strips.count;
            if (ox >= out_w) continue;
            if (factor) totals[k] *= factor[output];
            if (bias) totals[k] += bias[output];
            row[ox] = rectify ? rectified(totals[k]) : totals[k];
        }
    }
}

extern "C" __global__ void forward(
    const stored* x, const float* w, const float* factor, const float* bias, stored* y, int items,
    int multiple, int rectify, Extent strips, Extent outputs, int channels, int height, int width,
    int kernel_h, int kernel_w, int stride_h, int stride_w, int pad_h, int pad_w, int dilation_h,
    int dilation_w, Extent out_h, int out_w)
{
    Shape of = {items, channels, height, width, kernel_h, kernel_w, pad_h, pad_w, dilation_h,
                dilation_w};
    TAPS(forward_of, x, w, factor, bias, y, of, multiple, rectify, stride_h, stride_w, out_h,
         out_w, strips, outputs);
}

template <int H, int W>
__device__ void backward_of(
    const stored* dy, const float* w, stored* dx, Shape of, int multiple, Extent channels,
    Extent height, Extent width, Extent stride_h, Extent stride_w, int out_h, int out_w)
{
    int kernel_h = H ? H : of.kernel_h, kernel_w = W ? W : of.kernel_w;
    int extent = kernel_h * kernel_w, places = out_h * out_w;
    EACH(i, of.items * of.channels * of.height * of.width) {
        Spot at(i, height, width);
        unsigned channel = (unsigned)at.plane % channels;
        // each plane of dx has `multiple` planes of dy, and as many kernels
        const stored* planes = dy + (unsigned)at.plane * multiple * places;
        const float* kernels = w + channel * multiple * extent;
        float total = 0.0f;
        for (int ky = 0; ky < kernel_h; ++ky) {
            // negative values have the top bit set
            unsigned sy = at.y + of.pad_h - ky * of.dilation_h, oy = sy / stride_h;
            if (sy >> 31 || oy >= out_h || oy * stride_h.count != sy) continue;
            for (int kx = 0; kx < kernel_w; ++kx) {
                unsigned sx = at.x + of.pad_w - kx * of.dilation_w, ox = sx / stride_w;
                if (sx >> 31 || ox >= out_w || ox * stride_w.count != sx) continue;
                for (int m = 0; m < multiple; ++m)
                    total += kernels[m * extent + ky * kernel_w + kx]
                        * planes[m * places + oy * out_w + ox];
            }
        }
        dx[i] = total;
    }
}

extern "C" __global__ void backward(
    const stored* dy, const float* w, stored* dx, int items, int multiple, Extent channels,
    Extent height, Extent width, int kernel_h, int kernel_w, Extent stride_h, Extent stride_w,
    int pad_h, int pad_w, int dilation_h, int dilation_w, int out_h, int out_w)
{
    Shape of = {items, channels, height, width, kernel_h, kernel_w, pad_h, pad_w, dilation_h,
                dilation_w};
    TAPS(backward_of, dy, w, dx, of, multiple, channels, height, width, stride_h, stride_w, out_h,
         out_w);
}

// Sums for a block of H x W weights, from weight `first` of an output on; an extent of 0 means 1.
template <int H, int W>
__device__ void learn_of(
    const stored* dy, const stored* x, float* parts, Shape of, int multiple, int stride_h,
    int stride_w, Extent out_h, Extent out_w)
{
    __shared__ float shared[BLOCK];
    const int rows = H ? H : 1, columns = W ? W : 1;
    int blocks = of.kernel_h * of.kernel_w / (rows * columns);
    int output = blockIdx.x / blocks, first = blockIdx.x % blocks;
    int from_y = first / of.kernel_w * of.dilation_h - of.pad_h;
    int from_x = first % of.kernel_w * of.dilation_w - of.pad_w;
    unsigned outputs = of.channels * multiple, channel = output / multiple;
    Share share((unsigned)of.items * out_h.count * out_w.count, blockIdx.y, gridDim.y);
    float totals[rows * columns] = {};
    for (unsigned i = share.first + threadIdx.x; i < share.last; i += BLOCK) {
        Spot at(i, out_h, out_w);
        const stored* plane = x + (at.plane * of.channels + channel) * of.height * of.width;
        float slope = dy[((at.plane * outputs + output) * out_h.count + at.y) * out_w.count + at.x];
        for (int ky = 0; ky < rows; ++ky)
            for (int kx = 0; kx < columns; ++kx) {
                int iy = at.y * stride_h + from_y + ky * of.dilation_h;
                int ix = at.x * stride_w + from_x + kx * of.dilation_w;
                if (iy >= 0 && iy < of.height && ix >= 0 && ix < of.width)
                    totals[ky * columns + kx] += slope * plane[iy * of.width + ix];
            }
    }
    for (int k = 0; k < rows * columns; ++k) {
        float total = block_sum(totals[k], shared);
        unsigned weight = blockIdx.x * rows * columns + k;
        if (threadIdx.x == 0) parts[weight * gridDim.y + blockIdx.y] = total;
    }
}

// A row of blocks for each output where TAPS has an unrolled kernel, else for each weight.
extern "C" __global__ void learn(
    const stored* dy, const stored* x, float* parts, int items, int multiple, int channels,
    int height, int width, int kernel_h, int kernel_w, int stride_h, int stride_w, int pad_h,
    int pad_w, int dilation_h, int dilation_w, Extent out_h, Extent out_w)
{
    Shape of = {items, channels, height, width, kernel_h, kernel_w, pad_h, pad_w, dilation_h,
                dilation_w};
    TAPS(learn_of, dy, x, parts, of, multiple, stride_h, stride_w, out_h, out_w);
}

extern "C" __global__ void add_sums(const float* parts, float* dw, int weights, int pieces)
{
    EACH(weight, weights) {
        float total = 0.0f;
        #pragma unroll 8
        for (int part = 0; part < pieces; ++part) total += parts[weight * pieces + part];
        dw[weight] += total;
    }
}

// Convolutions in two axes as one product for each group: columns are (channel, kernel place) x
// (image, output place), and results (output) x (image, place).

// grid.y is the row of the columns.
extern "C" __global__ void unroll(
    const stored* x, stored* columns, int items, int channels, int height, int width, int kernel_h,
    int kernel_w, int stride_h, int stride_w, int pad_h, int pad_w, int dilation_h, int dilation_w,
    int out_h, int out_w)
{
    int row = blockIdx.y;
    int kx = row % kernel_w, ky = row / kernel_w % kernel_h, channel = row / (kernel_w * kernel_h);
    int places = out_h * out_w;
    wide count = (wide)items * places;
    EACH(i, count) {
        int item = (int)(i / places), place = (int)(i % places);
        int iy = place / out_w * stride_h - pad_h + ky * dilation_h;
        int ix = place % out_w * stride_w - pad_w + kx * dilation_w;
        bool inside = iy >= 0 && iy < height && ix >= 0 && ix < width;
        wide at = (((wide)item * channels + channel) * height + iy) * width + ix;
        columns[row * count + i] = inside ? x[at] : 0.0f;
    }
}

extern "C" __global__ void roll(
    const stored* columns, stored* x, int items, int channels, int height, int width, int kernel_h,
    int kernel_w, int stride_h, int stride_w, int pad_h, int pad_w, int dilation_h, int dilation_w,
    int out_h, int out_w)
{
    int places = out_h * out_w;
    wide wide_row = (wide)items * places;
    wide count = (wide)items * channels * height * width;
    EACH(i, count) {
        int ix = (int)(i % width), iy = (int)(i / width % height);
        int channel = (int)(i / ((wide)width * height) % channels);
        int item = (int)(i / ((wide)width * height * channels));
        float total = 0.0f;
        for (int ky = 0; ky < kernel_h; ++ky) {
            int sy = iy + pad_h - ky * dilation_h;
            if (sy < 0 || sy % stride_h || sy / stride_h >= out_h) continue;
            for (int kx = 0; kx < kernel_w; ++kx) {
                int sx = ix + pad_w - kx * dilation_w;
                if (sx < 0 || sx % stride_w || sx / stride_w >= out_w) continue;
                wide row = ((wide)channel * kernel_h + ky) * kernel_w + kx;
                total += columns[
                    row * wide_row + (wide)item * places + sy / stride_h * out_w + sx / stride_w];
            }
        }
        x[i] = total;
    }
}

// (items, outputs, places) to (outputs, items, places).
extern "C" __global__ void gather(
    const stored* y, stored* turned, int items, int outputs, int places)
{
    EACH(i, (wide)items * outputs * places) {
        int place = (int)(i % places), item = (int)(i / places % items);
        wide output = i / ((wide)places * items);
        turned[i] = y[((wide)item * outputs + output) * places + place];
    }
}

// (outputs, items, places) to (items, outputs, places), with what follows a product.
extern "C" __global__ void scatter(
    const stored* turned, const float* factor, const float* bias, stored* y, int items, int outputs,
    int places, int rectify)
{
    EACH(i, (wide)items * outputs * places) {
        int place = (int)(i % places), output = (int)(i / places % outputs);
        wide item = i / ((wide)places * outputs);
        float value = turned[((wide)output * items + item) * places + place];
        if (factor) value *= factor[output];
        if (bias) value += bias[output];
        y[i] = rectify ? rectified(value) : value;
    }
}

extern "C" __global__ void finish(
    stored* y, const float* factor, const float* bias, int items, int outputs, int places,
    int rectify)
{
    EACH(i, (wide)items * outputs * places) {
        int output = (int)(i / places % outputs);
        float value = y[i];
        if (factor) value *= factor[output];
        if (bias) value += bias[output];
        y[i] = rectify ? rectified(value) : value;
    }
}

// Gradients of weights that came in the type of values.
extern "C" __global__ void add(const stored* more, float* dw, int count)
{
    EACH(i, count) dw[i] += more[i];
}

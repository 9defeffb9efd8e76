// im2col convolution in two axes, one matrix product per group: columns are (channel, kernel place)
// x (image, output place), results are (output) x (image, place).

// grid.y is the row of the columns.
extern "C" __global__ void im2col(
    const stored* x, stored* columns, int items, int channels, int height, int width, int kernel_h,
    int kernel_w, int stride_h, int stride_w, int pad_h, int pad_w, int dilation_h, int dilation_w,
    Extent out_h, Extent out_w)
{
    int row = blockIdx.y;
    int kx = row % kernel_w, ky = row / kernel_w % kernel_h, channel = row / (kernel_w * kernel_h);
    int from_x = kx * dilation_w - pad_w, from_y = ky * dilation_h - pad_h;
    unsigned count = (unsigned)items * out_h.count * out_w.count;
    // the plane of a spot is the item
    auto take = [=](Spot at, float& column) {
        int iy = at.y * stride_h + from_y, ix = at.x * stride_w + from_x;
        bool inside = iy >= 0 && iy < height && ix >= 0 && ix < width;
        unsigned plane = at.plane * channels + channel;
        column = inside ? x[(plane * height + iy) * width + ix] : 0.0f;
    };
    auto spot = [=](unsigned i) { return Spot(i, out_h, out_w); };
    walk(count, spot, Same(), take, columns + (wide)row * count);
}

extern "C" __global__ void col2im(
    const stored* columns, stored* x, int items, Extent channels, Extent height, Extent width,
    int kernel_h, int kernel_w, Extent stride_h, Extent stride_w, int pad_h, int pad_w,
    int dilation_h, int dilation_w, int out_h, int out_w)
{
    unsigned places = out_h * out_w, count = (unsigned)items * places;
    EACH(i, items * channels.count * height.count * width.count) {
        Spot at(i, height, width);
        unsigned item = (unsigned)at.plane / channels, channel = at.plane - item * channels.count;
        float total = 0.0f;
        for (int ky = 0; ky < kernel_h; ++ky) {
            // negative values have the top bit set
            unsigned sy = at.y + pad_h - ky * dilation_h, oy = sy / stride_h;
            if (sy >> 31 || oy >= out_h || oy * stride_h.count != sy) continue;
            wide row = (wide)(channel * kernel_h + ky) * kernel_w;
            for (int kx = 0; kx < kernel_w; ++kx) {
                unsigned sx = at.x + pad_w - kx * dilation_w, ox = sx / stride_w;
                if (sx >> 31 || ox >= out_w || ox * stride_w.count != sx) continue;
                total += columns[(row + kx) * count + item * places + oy * out_w + ox];
            }
        }
        x[i] = total;
    }
}

// Transpose (items, outputs, places) to (outputs, items, places).
extern "C" __global__ void gather(
    const stored* y, stored* turned, Extent items, int outputs, Extent places)
{
    auto from = [=](unsigned i) { return Spot(i, items, places); };
    auto take = [=](Spot at, float& value) {
        value = y[((unsigned)at.y * outputs + at.plane) * places.count + at.x];
    };
    walk((unsigned)items.count * outputs * places.count, from, Same(), take, turned);
}

// Transpose (outputs, items, places) to (items, outputs, places), with the epilogue.
extern "C" __global__ void scatter(
    const stored* turned, const float* factor, const float* bias, stored* y, int items,
    Extent outputs, Extent places, int rectify)
{
    auto from = [=](unsigned i) { return Spot(i, outputs, places); };
    auto take = [=](Spot at, float& y) {
        Line of = line_of(factor, bias, at.y);
        float value = turned[((unsigned)at.y * items + at.plane) * places.count + at.x];
        value = value * of.factor + of.shift;
        y = rectify ? rectified(value) : value;
    };
    walk((unsigned)items * outputs.count * places.count, from, Same(), take, y);
}

extern "C" __global__ void finish(
    stored* y, const float* factor, const float* bias, int items, Extent outputs, Extent places,
    int rectify)
{
    auto of = [=](int output) { return line_of(factor, bias, output); };
    auto one = [=](Line of, float& y) {
        float value = y * of.factor + of.shift;
        y = rectify ? rectified(value) : value;
    };
    each_in_channels(items, outputs, places, of, one, y);
}

// Accumulates weight gradients that were computed in the type of values.
extern "C" __global__ void add(const stored* more, float* dw, int count)
{
    each(count, [](float more, float& dw) { dw += more; }, more, dw);
}

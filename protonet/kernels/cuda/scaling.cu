// Per-channel scale, bias and PReLU for arrays of items x channels x places.

// With a top, x counts as 0 where that is not above 0.
extern "C" __global__ void forward(
    const stored* x, const float* s, const float* b, stored* y, const stored* top, int items,
    Extent channels, Extent places, int rectify)
{
    bool masks = top;
    auto of = [=](int channel) { return line_of(s, b, channel); };
    auto one = [=](Line of, float x, float top, float& y) {
        float value = masks && !(top > 0.0f) ? 0.0f : x;
        value = value * of.factor + of.shift;
        y = rectify ? rectified(value) : value;
    };
    each_in_channels(items, channels, places, of, one, x, top, y);
}

// parts: (channel, part) x (sum of x dy, sum of dy). Without x, only the second sum is computed.
// With a top, dy counts as 0 where that is not above 0.
extern "C" __global__ void sum_parts(
    const stored* dy, const stored* x, const stored* top, float* parts, int items, Extent channels,
    Extent places)
{
    __shared__ float shared[BLOCK];
    Share share((unsigned)items * places.count, blockIdx.y, gridDim.y);
    bool masks = top;
    float products = 0.0f, plain = 0.0f;
    auto add = [&](float dy, float x, float top) {
        if (masks && !(top > 0.0f)) return;
        products += x * dy;
        plain += dy;
    };
    each_of_share(share, channels, places, add, dy, x, top);
    products = block_sum(products, shared);
    plain = block_sum(plain, shared);
    if (threadIdx.x == 0) {
        unsigned at = (blockIdx.x * gridDim.y + blockIdx.y) * 2;
        parts[at] = products;
        parts[at + 1] = plain;
    }
}

extern "C" __global__ void add_sums(
    const float* parts, float* ds, float* db, int channels, int pieces)
{
    EACH(channel, channels) {
        float products = 0.0f, plain = 0.0f;
        #pragma unroll 8
        for (int part = 0; part < pieces; ++part) {
            products += parts[(channel * pieces + part) * 2];
            plain += parts[(channel * pieces + part) * 2 + 1];
        }
        if (ds) ds[channel] += products;
        if (db) db[channel] += plain;
    }
}

// y = max(x, 0) + a min(x, 0)
extern "C" __global__ void lean(
    const stored* x, const float* a, stored* y, int items, Extent channels, Extent places)
{
    auto of = [=](int channel) { return a[channel]; };
    auto one = [=](float a, float x, float& y) { y = x < 0.0f ? x * a : x; };
    each_in_channels(items, channels, places, of, one, x, y);
}

// parts as in sum_parts, with sums of x dy where x is not above 0; dx and parts may be null.
extern "C" __global__ void lean_back(
    const stored* dy, const stored* x, const float* a, stored* dx, float* parts, int items,
    Extent channels, Extent places)
{
    __shared__ float shared[BLOCK];
    Share share((unsigned)items * places.count, blockIdx.y, gridDim.y);
    float total = 0.0f, slope = a[blockIdx.x];
    auto one = [&](float dy, float x, float& dx) {
        if (!(x > 0.0f)) total += dy * x;
        dx = x > 0.0f ? dy : dy * slope;
    };
    each_of_share(share, channels, places, one, dy, x, dx);
    if (!parts) return;
    total = block_sum(total, shared);
    if (threadIdx.x == 0) {
        unsigned at = (blockIdx.x * gridDim.y + blockIdx.y) * 2;
        parts[at] = total;
        parts[at + 1] = 0.0f;
    }
}

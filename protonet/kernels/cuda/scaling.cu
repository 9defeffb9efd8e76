// One number for each channel of items x channels x places.

// With a top, x counts as 0 where that is not above 0.
extern "C" __global__ void forward(
    const stored* x, const float* s, const float* b, stored* y, const stored* top, int items,
    int channels, int places, int rectify)
{
    EACH(i, (wide)items * channels * places) {
        int channel = (int)(i / places % channels);
        float value = top && !(top[i] > 0.0f) ? 0.0f : x[i];
        if (s) value *= s[channel];
        if (b) value += b[channel];
        y[i] = rectify ? rectified(value) : value;
    }
}

// parts: (channel, part) x (sum of x dy, sum of dy). Without x, only the second is meant.
// With a top, dy counts as 0 where that is not above 0.
extern "C" __global__ void sum_parts(
    const stored* dy, const stored* x, const stored* top, float* parts, int items, int channels,
    int places)
{
    __shared__ float shared[BLOCK];
    int channel = blockIdx.x, part = blockIdx.y, pieces = gridDim.y;
    wide count = (wide)items * places;
    wide first = count * part / pieces, last = count * (part + 1) / pieces;
    float products = 0.0f, plain = 0.0f;
    for (wide i = first + threadIdx.x; i < last; i += BLOCK) {
        wide at = (i / places * channels + channel) * places + i % places;
        if (top && !(top[at] > 0.0f)) continue;
        if (x) products += x[at] * dy[at];
        plain += dy[at];
    }
    products = block_sum(products, shared);
    plain = block_sum(plain, shared);
    if (threadIdx.x == 0) {
        wide at = ((wide)channel * pieces + part) * 2;
        parts[at] = products;
        parts[at + 1] = plain;
    }
}

extern "C" __global__ void add_sums(
    const float* parts, float* ds, float* db, int channels, int pieces)
{
    EACH(channel, channels) {
        float products = 0.0f, plain = 0.0f;
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
    const stored* x, const float* a, stored* y, int items, int channels, int places)
{
    EACH(i, (wide)items * channels * places) {
        float value = x[i];
        y[i] = value < 0.0f ? value * a[i / places % channels] : value;
    }
}

// parts as those of sum_parts, with sums of x dy where x is not above 0; dx and parts may be null.
extern "C" __global__ void lean_back(
    const stored* dy, const stored* x, const float* a, stored* dx, float* parts, int items,
    int channels, int places)
{
    __shared__ float shared[BLOCK];
    int channel = blockIdx.x, part = blockIdx.y, pieces = gridDim.y;
    wide count = (wide)items * places;
    wide first = count * part / pieces, last = count * (part + 1) / pieces;
    float total = 0.0f, slope = a[channel];
    for (wide i = first + threadIdx.x; i < last; i += BLOCK) {
        wide at = (i / places * channels + channel) * places + i % places;
        float gradient = dy[at], value = x[at];
        if (!(value > 0.0f)) total += gradient * value;
        if (dx) dx[at] = value > 0.0f ? gradient : gradient * slope;
    }
    if (!parts) return;
    total = block_sum(total, shared);
    if (threadIdx.x == 0) {
        wide at = ((wide)channel * pieces + part) * 2;
        parts[at] = total;
        parts[at + 1] = 0.0f;
    }
}

// The gradient of a bias, of items x channels x places.

// parts: (channel, part), sums of dy; with y, dy is made 0 first where y is not above 0.
extern "C" __global__ void sum_parts(
    stored* dy, const stored* y, float* parts, int items, int channels, int places)
{
    __shared__ float shared[BLOCK];
    int channel = blockIdx.x, part = blockIdx.y, pieces = gridDim.y;
    wide count = (wide)items * places;
    wide first = count * part / pieces, last = count * (part + 1) / pieces;
    float total = 0.0f;
    for (wide i = first + threadIdx.x; i < last; i += BLOCK) {
        wide at = (i / places * channels + channel) * places + i % places;
        if (y && !(y[at] > 0.0f)) dy[at] = 0.0f;
        else total += dy[at];
    }
    total = block_sum(total, shared);
    if (threadIdx.x == 0) parts[(wide)channel * pieces + part] = total;
}

extern "C" __global__ void add_sums(const float* parts, float* db, int channels, int pieces)
{
    EACH(channel, channels) {
        float total = 0.0f;
        for (int part = 0; part < pieces; ++part) total += parts[channel * pieces + part];
        db[channel] += total;
    }
}

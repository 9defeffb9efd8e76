// The gradient of a bias, for arrays of items x channels x places.

// parts: (channel, part), partial sums of dy; with y, dy is first zeroed where y is not above 0.
extern "C" __global__ void sum_parts(
    stored* dy, const stored* y, float* parts, int items, Extent channels, Extent places)
{
    __shared__ float shared[BLOCK];
    Share share((unsigned)items * places.count, blockIdx.y, gridDim.y);
    float total = 0.0f;
    auto add = [&](float dy) { total += dy; };
    auto mask_and_add = [&](float& dy, float y) {
        if (!(y > 0.0f)) dy = 0.0f;
        total += dy;
    };
    if (y) each_of_share(share, channels, places, mask_and_add, dy, y);
    else each_of_share(share, channels, places, add, (const stored*)dy);
    total = block_sum(total, shared);
    if (threadIdx.x == 0) parts[blockIdx.x * gridDim.y + blockIdx.y] = total;
}

extern "C" __global__ void add_sums(const float* parts, float* db, int channels, int pieces)
{
    EACH(channel, channels) {
        float total = 0.0f;
        #pragma unroll 8
        for (int part = 0; part < pieces; ++part) total += parts[channel * pieces + part];
        db[channel] += total;
    }
}

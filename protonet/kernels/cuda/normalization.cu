// Per-channel statistics of items x channels x places, and the normalization by them. Each channel
// is divided among grid.y blocks; their partial results are combined in a fixed order.

// parts: (channel, part) x (mean, sum of squared deviations), of the values of that part.
extern "C" __global__ void moments(
    const stored* x, float* parts, int items, Extent channels, Extent places)
{
    __shared__ float shared[BLOCK];
    Share share((unsigned)items * places.count, blockIdx.y, gridDim.y);
    // Deviations are taken from an estimate of the mean (that of the first values), so that the
    // squares do not cancel; the error of the estimate is corrected at the end.
    unsigned few = min(share.size(), (unsigned)BLOCK), i = share.first + threadIdx.x;
    float first = threadIdx.x < few ? (float)x[in_channel(i, channels, places)] : 0.0f;
    float middle = block_sum(first, shared) / (float)few;
    float squares = 0.0f, rest = 0.0f;
    auto add = [&](float x) {
        float off = x - middle;
        squares += off * off;
        rest += off;
    };
    each_of_share(share, channels, places, add, x);
    squares = block_sum(squares, shared);
    rest = block_sum(rest, shared);
    if (threadIdx.x == 0) {
        unsigned at = (blockIdx.x * gridDim.y + blockIdx.y) * 2;
        parts[at] = middle + rest / (float)share.size();
        parts[at + 1] = squares - rest * rest / (float)share.size();
    }
}

// Combines the means and variances of two sets into those of their union (Chan, Golub and LeVeque,
// 1979).
extern "C" __global__ void statistics(
    const float* parts, float* mean, float* variance, float* inverse, int items,
    Extent channels, Extent places, int pieces, float eps)
{
    unsigned count = (unsigned)items * places.count;
    EACH(channel, channels.count) {
        float middle = 0.0f, squares = 0.0f;
        #pragma unroll 8
        for (int part = 0; part < pieces; ++part) {
            Share share(count, part, pieces);
            float of_part = parts[(channel * pieces + part) * 2];
            float squares_of_part = parts[(channel * pieces + part) * 2 + 1];
            if (share.size() == 0) continue;
            float off = of_part - middle, weight = (float)share.size() / (float)share.last;
            middle += off * weight;
            squares += squares_of_part + off * off * weight * (float)share.first;
        }
        mean[channel] = middle;
        variance[channel] = squares / (float)count;
        inverse[channel] = 1.0f / sqrtf(squares / (float)count + eps);
    }
}

// The per-channel transform of values: hat = (x - mean) spread, z = hat scale + bias.
struct Norm {
    float mean, spread, scale, bias;
    // Without a mean, x is already normalized.
    __device__ Norm(
        const float* means, const float* inverses, const float* scales, const float* biases,
        int channel)
        : mean(means ? means[channel] : 0.0f), spread(means ? inverses[channel] : 1.0f),
          scale(scales ? scales[channel] : 1.0f), bias(biases ? biases[channel] : 0.0f)
    {
    }
    __device__ float hat(float x) const { return (x - mean) * spread; }
    __device__ float z(float x) const { return hat(x) * scale + bias; }
};

extern "C" __global__ void normalize(
    const stored* x, const float* scale, const float* bias, stored* y, const float* mean,
    const float* inverse, int items, Extent channels, Extent places, int rectify)
{
    auto of = [=](int channel) { return Norm(mean, inverse, scale, bias, channel); };
    auto one = [=](Norm of, float x, float& y) { y = rectify ? rectified(of.z(x)) : of.z(x); };
    each_in_channels(items, channels, places, of, one, x, y);
}

// parts: (channel, part) x (sum of dz hat, sum of dz).
extern "C" __global__ void gradient_parts(
    const stored* dy, const stored* x, const float* scale, const float* bias, const float* mean,
    const float* inverse, float* parts, int items, Extent channels, Extent places, int rectify)
{
    __shared__ float shared[BLOCK];
    Share share((unsigned)items * places.count, blockIdx.y, gridDim.y);
    Norm of(mean, inverse, scale, bias, blockIdx.x);
    float slope = 0.0f, level = 0.0f;
    auto add = [&](float dy, float x) {
        float dz = rectify && !(of.z(x) > 0.0f) ? 0.0f : dy;
        slope += dz * of.hat(x);
        level += dz;
    };
    each_of_share(share, channels, places, add, dy, x);
    slope = block_sum(slope, shared);
    level = block_sum(level, shared);
    if (threadIdx.x == 0) {
        unsigned at = (blockIdx.x * gridDim.y + blockIdx.y) * 2;
        parts[at] = slope;
        parts[at + 1] = level;
    }
}

extern "C" __global__ void gradient_sums(
    const float* parts, float* sums, float* dscale, float* dbias, int channels, int pieces)
{
    EACH(channel, channels) {
        float slope = 0.0f, level = 0.0f;
        #pragma unroll 8
        for (int part = 0; part < pieces; ++part) {
            slope += parts[(channel * pieces + part) * 2];
            level += parts[(channel * pieces + part) * 2 + 1];
        }
        sums[channel] = slope;
        sums[channels + channel] = level;
        if (dscale) dscale[channel] += slope;
        if (dbias) dbias[channel] += level;
    }
}

extern "C" __global__ void gradient(
    const stored* dy, const stored* x, const float* scale, const float* bias, const float* mean,
    const float* inverse, const float* sums, stored* dx, int items, Extent channels, Extent places,
    int rectify, int fixed)
{
    float share = 1.0f / ((float)items * (float)places.count);
    struct Slopes { Norm of; float slope, level, factor; };
    auto of = [=](int channel) {
        Norm norm(mean, inverse, scale, bias, channel);
        float slope = fixed ? 0.0f : sums[channel] * share;
        float level = fixed ? 0.0f : sums[channels.count + channel] * share;
        return Slopes{norm, slope, level, inverse[channel] * norm.scale};
    };
    auto one = [=](Slopes to, float dy, float x, float& dx) {
        float dz = rectify && !(to.of.z(x) > 0.0f) ? 0.0f : dy;
        dx = (dz - (to.level + to.of.hat(x) * to.slope)) * to.factor;
    };
    each_in_channels(items, channels, places, of, one, dy, x, dx);
}

// Launched as one block: all threads read the weight before it is written.
extern "C" __global__ void remember(
    const float* mean, const float* variance, float* means, float* variances, float* weight,
    int channels, float fraction, int averages, float unbiased)
{
    float kept = averages ? weight[0] * fraction : fraction;
    __syncthreads();
    for (int channel = threadIdx.x; channel < channels; channel += BLOCK) {
        float middle = mean[channel], square = variance[channel] * unbiased;
        float last = means[channel], last_square = variances[channel];
        means[channel] = averages ? (last - middle) * kept + middle : last * kept + middle;
        variances[channel] =
            averages ? (last_square - square) * kept + square : last_square * kept + square;
    }
    if (threadIdx.x == 0) weight[0] = averages ? 1.0f : weight[0] * kept + 1.0f;
}

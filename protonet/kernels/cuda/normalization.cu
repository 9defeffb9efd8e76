// Statistics of channels of items x channels x places, and what is made from them. Each channel is
// divided among grid.y blocks; their parts are put together in a fixed order.

// parts: (channel, part) x (mean, sum of squared deviations), of the values of that part.
extern "C" __global__ void moments(
    const stored* x, float* parts, int items, int channels, int places)
{
    __shared__ float shared[BLOCK];
    int channel = blockIdx.x, part = blockIdx.y, pieces = gridDim.y;
    wide count = (wide)items * places;
    wide first = count * part / pieces, last = count * (part + 1) / pieces;
    float total = 0.0f;
    for (wide i = first + threadIdx.x; i < last; i += BLOCK)
        total += x[(i / places * channels + channel) * places + i % places];
    float mean = block_sum(total, shared) / (float)(last - first);
    // What rounding left of the mean is taken off the squares again.
    float squares = 0.0f, rest = 0.0f;
    for (wide i = first + threadIdx.x; i < last; i += BLOCK) {
        float off = x[(i / places * channels + channel) * places + i % places] - mean;
        squares += off * off;
        rest += off;
    }
    squares = block_sum(squares, shared);
    rest = block_sum(rest, shared);
    if (threadIdx.x == 0) {
        wide at = ((wide)channel * pieces + part) * 2;
        parts[at] = mean + rest / (float)(last - first);
        parts[at + 1] = squares - rest * rest / (float)(last - first);
    }
}

// Means and variances of two sets make those of their union (Chan, Golub and LeVeque, 1979).
extern "C" __global__ void statistics(
    const float* parts, float* mean, float* variance, float* inverse, int items, int channels,
    int places, int pieces, float eps)
{
    wide count = (wide)items * places;
    EACH(channel, channels) {
        float middle = 0.0f, squares = 0.0f;
        wide seen = 0;
        for (int part = 0; part < pieces; ++part) {
            wide more = count * (part + 1) / pieces - count * part / pieces;
            float off = parts[(channel * pieces + part) * 2] - middle;
            float share = (float)more / (float)(seen + more);
            middle += off * share;
            squares += parts[(channel * pieces + part) * 2 + 1] + off * off * share * (float)seen;
            seen += more;
        }
        mean[channel] = middle;
        variance[channel] = squares / (float)count;
        inverse[channel] = 1.0f / sqrtf(squares / (float)count + eps);
    }
}

extern "C" __global__ void normalize(
    const stored* x, const float* scale, const float* bias, stored* y, const float* mean,
    const float* inverse, int items, int channels, int places, int rectify)
{
    EACH(i, (wide)items * channels * places) {
        int channel = (int)(i / places % channels);
        float value = (x[i] - mean[channel]) * inverse[channel];
        if (scale) value *= scale[channel];
        if (bias) value += bias[channel];
        y[i] = rectify ? rectified(value) : value;
    }
}

// Without a mean, x is what was normalized already.
__device__ float normalized(const stored* x, const float* mean, const float* inverse, wide i, int c)
{
    return mean ? (x[i] - mean[c]) * inverse[c] : x[i];
}

// The gradient of what was rectified.
__device__ float passed(
    float dy, float hat, const float* scale, const float* bias, int channel, int rectify)
{
    if (!rectify) return dy;
    float z = hat;
    if (scale) z *= scale[channel];
    if (bias) z += bias[channel];
    return z > 0.0f ? dy : 0.0f;
}

// parts: (channel, part) x (sum of dz hat, sum of dz).
extern "C" __global__ void gradient_parts(
    const stored* dy, const stored* x, const float* scale, const float* bias, const float* mean,
    const float* inverse, float* parts, int items, int channels, int places, int rectify)
{
    __shared__ float shared[BLOCK];
    int channel = blockIdx.x, part = blockIdx.y, pieces = gridDim.y;
    wide count = (wide)items * places;
    wide first = count * part / pieces, last = count * (part + 1) / pieces;
    float slope = 0.0f, level = 0.0f;
    for (wide i = first + threadIdx.x; i < last; i += BLOCK) {
        wide at = (i / places * channels + channel) * places + i % places;
        float hat = normalized(x, mean, inverse, at, channel);
        float dz = passed(dy[at], hat, scale, bias, channel, rectify);
        slope += dz * hat;
        level += dz;
    }
    slope = block_sum(slope, shared);
    level = block_sum(level, shared);
    if (threadIdx.x == 0) {
        wide at = ((wide)channel * pieces + part) * 2;
        parts[at] = slope;
        parts[at + 1] = level;
    }
}

extern "C" __global__ void gradient_sums(
    const float* parts, float* sums, float* dscale, float* dbias, int channels, int pieces)
{
    EACH(channel, channels) {
        float slope = 0.0f, level = 0.0f;
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
    const float* inverse, const float* sums, stored* dx, int items, int channels, int places,
    int rectify, int fixed)
{
    float share = 1.0f / ((float)items * (float)places);
    EACH(i, (wide)items * channels * places) {
        int channel = (int)(i / places % channels);
        float hat = normalized(x, mean, inverse, i, channel);
        float value = passed(dy[i], hat, scale, bias, channel, rectify);
        if (!fixed)
            value -= sums[channels + channel] * share + hat * (sums[channel] * share);
        value *= inverse[channel];
        dx[i] = scale ? value * scale[channel] : value;
    }
}

// One block: all read the weight before it is written.
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

// Losses: each block writes its partial sum to parts; `total` adds them up in a fixed order.

// grid.x sums of `count` consecutive parts each: the first, times `factor`, goes to sum, the second
// to other.
extern "C" __global__ void total(
    const float* parts, float* sum, float* other, int count, float factor)
{
    __shared__ float shared[BLOCK];
    float value = 0.0f;
    for (int i = threadIdx.x; i < count; i += BLOCK) value += parts[blockIdx.x * count + i];
    value = block_sum(value, shared);
    if (threadIdx.x) return;
    if (blockIdx.x == 0) sum[0] = value * factor;
    else other[0] = value;
}

// dx = factor weight slope
extern "C" __global__ void spread(
    const float* slope, const float* weight, float factor, float* dx, int count)
{
    float share = weight[0] * factor;
    each(count, [=](float slope, float& dx) { dx = slope * share; }, slope, dx);
}

extern "C" __global__ void squares(
    const float* a, const float* b, float* difference, float* parts, int count)
{
    __shared__ float shared[BLOCK];
    float total = 0.0f;
    EACH(i, count) {
        float off = a[i] - b[i];
        difference[i] = off;
        total += off * off;
    }
    total = block_sum(total, shared);
    if (threadIdx.x == 0) parts[blockIdx.x] = total;
}

extern "C" __global__ void distances(
    const float* a, const float* b, float* slope, float* parts, int count)
{
    __shared__ float shared[BLOCK];
    float total = 0.0f;
    EACH(i, count) {
        float off = a[i] - b[i];
        slope[i] = sign(off);
        total += fabsf(off);
    }
    total = block_sum(total, shared);
    if (threadIdx.x == 0) parts[blockIdx.x] = total;
}

// Missing u and v are 1.
extern "C" __global__ void smooth_distances(
    const float* a, const float* b, const float* u, const float* v, float* slope, float* parts,
    int count, float sharpness)
{
    __shared__ float shared[BLOCK];
    float total = 0.0f;
    EACH(i, count) {
        float inner = u ? u[i] : 1.0f, outer = v ? v[i] : 1.0f, off = (a[i] - b[i]) * inner;
        float steep = off * sharpness;
        steep = steep < -1.0f ? -1.0f : steep > 1.0f ? 1.0f : steep;
        total += steep * outer * (off - steep * (0.5f / sharpness));
        slope[i] = steep * outer * inner;
    }
    total = block_sum(total, shared);
    if (threadIdx.x == 0) parts[blockIdx.x] = total;
}

// One block, with one partial sum, per pair.
extern "C" __global__ void contrast(
    const float* a, const float* b, const float* y, float* slope, float* parts, int length,
    float margin, int legacy)
{
    __shared__ float shared[BLOCK];
    wide first = (wide)blockIdx.x * length;
    float squares = 0.0f;
    for (int i = threadIdx.x; i < length; i += BLOCK) {
        float off = a[first + i] - b[first + i];
        squares += off * off;
    }
    squares = block_sum(squares, shared);
    float cost = squares, slant = 1.0f;
    if (truncf(y[blockIdx.x]) == 0.0f) {
        float distance = legacy ? squares : sqrtf(squares), gap = margin - distance;
        gap = gap < 0.0f ? 0.0f : gap;
        cost = legacy ? gap : gap * gap;
        slant = legacy ? -sign(gap) : -gap / (distance + 1e-4f);
    }
    for (int i = threadIdx.x; i < length; i += BLOCK)
        slope[first + i] = (a[first + i] - b[first + i]) * slant;
    if (threadIdx.x == 0) parts[blockIdx.x] = cost;
}

extern "C" __global__ void hinge(
    const float* x, const float* labels, float* slope, float* parts, int items, int classes,
    int squared)
{
    __shared__ float shared[BLOCK];
    float total = 0.0f;
    EACH(i, items * classes) {
        float t = labels[i / classes] == (float)(int)(i % classes) ? 1.0f : -1.0f;
        float off = rectified(1.0f - t * x[i]);
        slope[i] = -t * (squared ? 2.0f * off : sign(off));
        total += squared ? off * off : off;
    }
    total = block_sum(total, shared);
    if (threadIdx.x == 0) parts[blockIdx.x] = total;
}

// parts: the sums of the terms, then the counts of valid targets. A NaN for `ignored` matches no
// target.
extern "C" __global__ void cross_entropies(
    const float* x, const float* t, float* parts, int count, float ignored)
{
    __shared__ float shared[BLOCK];
    float total = 0.0f, counted = 0.0f;
    EACH(i, count) {
        if (truncf(t[i]) == ignored) continue;
        total += soft_positive(x[i]) - x[i] * t[i];
        counted += 1.0f;
    }
    total = block_sum(total, shared);
    counted = block_sum(counted, shared);
    if (threadIdx.x) return;
    parts[blockIdx.x] = total;
    parts[gridDim.x + blockIdx.x] = counted;
}

extern "C" __global__ void cross_entropies_back(
    const float* x, const float* t, const float* weight, float* dx, int count, float ignored)
{
    EACH(i, count) dx[i] = truncf(t[i]) == ignored ? 0.0f : (sigmoid(x[i]) - t[i]) * weight[0];
}

// Softmax over the classes of before x classes x after. An item is one of before x after.

// One block per item.
extern "C" __global__ void forward_wide(
    const float* x, float* y, int before, int classes, int after)
{
    __shared__ float shared[BLOCK];
    wide item = blockIdx.x;
    wide start = item / after * classes * after + item % after;
    float greatest = x[start];
    for (int c = threadIdx.x; c < classes; c += BLOCK)
        greatest = fmaxf(greatest, x[start + (wide)c * after]);
    greatest = block_max(greatest, shared);
    float total = 0.0f;
    for (int c = threadIdx.x; c < classes; c += BLOCK)
        total += expf(x[start + (wide)c * after] - greatest);
    total = block_sum(total, shared);
    for (int c = threadIdx.x; c < classes; c += BLOCK)
        y[start + (wide)c * after] = expf(x[start + (wide)c * after] - greatest) / total;
}

// One thread per item.
extern "C" __global__ void forward_many(
    const float* x, float* y, int before, int classes, int after)
{
    EACH(item, before * after) {
        wide start = item / after * classes * after + item % after;
        float greatest = x[start], total = 0.0f;
        for (int c = 1; c < classes; ++c) greatest = fmaxf(greatest, x[start + (wide)c * after]);
        for (int c = 0; c < classes; ++c) total += expf(x[start + (wide)c * after] - greatest);
        for (int c = 0; c < classes; ++c)
            y[start + (wide)c * after] = expf(x[start + (wide)c * after] - greatest) / total;
    }
}

extern "C" __global__ void backward(
    const float* y, const float* dy, float* dx, int before, int classes, int after)
{
    EACH(item, before * after) {
        wide start = item / after * classes * after + item % after;
        float total = 0.0f;
        for (int c = 0; c < classes; ++c) {
            wide at = start + (wide)c * after;
            total += y[at] * dy[at];
        }
        for (int c = 0; c < classes; ++c) {
            wide at = start + (wide)c * after;
            dx[at] = y[at] * (dy[at] - total);
        }
    }
}

// The logarithm, clamped from below at that of `smallest`; propagates NaN.
__device__ float bounded_log(float p, float smallest) { return logf(p < smallest ? smallest : p); }

extern "C" __global__ void logarithms(
    const float* p, const float* labels, const float* valid, float* logs, int before, int classes,
    int after, float smoothing, float smallest)
{
    EACH(item, before * after) {
        wide start = item / after * classes * after + item % after;
        int label = (int)labels[item];
        bool known = label >= 0 && label < classes && (float)label == labels[item];
        float value = bounded_log(known ? p[start + (wide)label * after] : 0.0f, smallest);
        if (smoothing > 0.0f) {
            float all = 0.0f;
            for (int c = 0; c < classes; ++c)
                all += bounded_log(p[start + (wide)c * after], smallest);
            value = (known ? value * (1.0f - smoothing) : 0.0f) + all * (smoothing / classes);
        }
        logs[item] = valid ? value * valid[item] : value;
    }
}

extern "C" __global__ void loss_gradient(
    const float* p, const float* labels, const float* valid, const float* factor, float* dx,
    int before, int classes, int after, float smoothing)
{
    EACH(i, before * classes * after) {
        int c = (int)(i / after % classes);
        unsigned item = i / (classes * after) * after + i % after;
        float q = labels[item] == (float)c ? 1.0f : 0.0f;
        if (smoothing > 0.0f) q = q * (1.0f - smoothing) + smoothing / classes;
        float value = p[i] - q;
        if (valid) value *= valid[item];
        dx[i] = value * factor[0];
    }
}

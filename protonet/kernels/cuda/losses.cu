// parts: a sum of squared differences for each block.
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

extern "C" __global__ void total(const float* parts, float* sum, int count, float factor)
{
    __shared__ float shared[BLOCK];
    float value = 0.0f;
    for (int i = threadIdx.x; i < count; i += BLOCK) value += parts[i];
    value = block_sum(value, shared);
    if (threadIdx.x == 0) sum[0] = value * factor;
}

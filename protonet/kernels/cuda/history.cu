// A ring buffer of losses; `at` is the index of the newest.

extern "C" __global__ void begin(float* ring, int* at, int window)
{
    if (blockIdx.x || threadIdx.x) return;
    *at = (*at + 1) % window;
    ring[*at] = 0.0f;
}

// Launched as one block.
extern "C" __global__ void add(
    const float* values, int count, float share, float* ring, const int* at)
{
    __shared__ float shared[BLOCK];
    float total = 0.0f;
    for (int i = threadIdx.x; i < count; i += BLOCK) total += values[i];
    total = block_sum(total, shared);
    if (threadIdx.x == 0) ring[*at] += share * total;
}

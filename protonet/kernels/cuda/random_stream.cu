// Uniform numbers in [0, 1): each thread generates a block of eight.
extern "C" __global__ void uniform(
    float* out, unsigned long long n, unsigned long long key0, unsigned long long key1,
    const unsigned long long* iteration)
{
    unsigned long long block = blockIdx.x * (unsigned long long)BLOCK + threadIdx.x;
    if (block * 8 >= n) return;
    Philox numbers(block, key0, key1, *iteration);
    for (int i = 0; i < 8 && block * 8 + i < n; ++i) out[block * 8 + i] = numbers.uniform(i);
}

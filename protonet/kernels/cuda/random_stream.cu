// The n uniform numbers in [0, 1) from number `first` on: each thread generates eight.
extern "C" __global__ void uniform(
    float* out, unsigned long long n, unsigned long long first, unsigned long long key0,
    unsigned long long key1, const unsigned long long* iteration)
{
    unsigned long long block = first / 8 + blockIdx.x * (unsigned long long)BLOCK + threadIdx.x;
    if (block * 8 >= first + n) return;
    Philox numbers(block, key0, key1, *iteration);
    for (int i = 0; i < 8; ++i) {
        unsigned long long number = block * 8 + i;
        if (number >= first && number < first + n) out[number - first] = numbers.uniform(i);
    }
}

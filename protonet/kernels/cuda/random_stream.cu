// Philox4x64-10 (Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011), with the
// counter order of numpy.random.Philox: block b of a stream uses counter + b + 1.
#define M0 0xD2E7470EE14C6C93ULL
#define M1 0xCA5A826395121157ULL

extern "C" __global__ void uniform(
    float* out, unsigned long long n, unsigned long long key0, unsigned long long key1,
    const unsigned long long* iteration)
{
    unsigned long long block = blockIdx.x * (unsigned long long)BLOCK + threadIdx.x;
    if (block * 8 >= n) return;
    unsigned long long c0 = block + 1, c1 = 0, c2 = *iteration, c3 = 0, k0 = key0, k1 = key1;
    for (int round = 0; round < 10; ++round) {
        unsigned long long h0 = __umul64hi(M0, c0), l0 = M0 * c0;
        unsigned long long h1 = __umul64hi(M1, c2), l1 = M1 * c2;
        c0 = h1 ^ c1 ^ k0; c1 = l1; c2 = h0 ^ c3 ^ k1; c3 = l0;
        k0 += 0x9E3779B97F4A7C15ULL; k1 += 0xBB67AE8584CAA73BULL;
    }
    unsigned long long words[4] = {c0, c1, c2, c3};
    for (int i = 0; i < 8; ++i) {
        unsigned long long at = block * 8 + i;
        if (at >= n) return;
        unsigned int half = (unsigned int)(words[i / 2] >> (32 * (i % 2)));
        out[at] = (half >> 8) * (1.0f / 16777216.0f);
    }
}

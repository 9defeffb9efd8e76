// Philox4x64-10, as in random_stream.cu: each thread generates eight numbers and uses them at once.
#define M0 0xD2E7470EE14C6C93ULL
#define M1 0xCA5A826395121157ULL

extern "C" __global__ void forward(
    const stored* x, stored* y, unsigned char* kept, int count, float ratio, float scale,
    unsigned long long key0, unsigned long long key1, const unsigned long long* iteration)
{
    EACH(block, ((unsigned)count + 7) / 8) {
        unsigned long long c0 = block + 1ULL, c1 = 0, c2 = *iteration, c3 = 0, k0 = key0, k1 = key1;
        for (int round = 0; round < 10; ++round) {
            unsigned long long h0 = __umul64hi(M0, c0), l0 = M0 * c0;
            unsigned long long h1 = __umul64hi(M1, c2), l1 = M1 * c2;
            c0 = h1 ^ c1 ^ k0; c1 = l1; c2 = h0 ^ c3 ^ k1; c3 = l0;
            k0 += 0x9E3779B97F4A7C15ULL; k1 += 0xBB67AE8584CAA73BULL;
        }
        unsigned long long words[4] = {c0, c1, c2, c3};
        for (int i = 0; i < 8 && block * 8 + i < (unsigned)count; ++i) {
            unsigned at = block * 8 + i;
            unsigned int half = (unsigned int)(words[i / 2] >> (32 * (i % 2)));
            bool keep = (half >> 8) * (1.0f / 16777216.0f) >= ratio;
            kept[at] = keep;
            y[at] = x[at] * (keep ? scale : 0.0f);
        }
    }
}

extern "C" __global__ void backward(
    const stored* dy, const unsigned char* kept, stored* dx, int count, float scale)
{
    auto back = [=](float dy, unsigned char kept, float& dx) { dx = dy * (kept ? scale : 0.0f); };
    each(count, back, dy, kept, dx);
}

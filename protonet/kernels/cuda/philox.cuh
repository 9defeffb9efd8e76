// Philox4x64-10 (Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011), with the
// counter order of numpy.random.Philox: block b of a stream uses counter + b + 1.
struct Philox {
    unsigned long long words[4];

    __device__ Philox(
        unsigned long long block, unsigned long long k0, unsigned long long k1,
        unsigned long long iteration)
    {
        const unsigned long long m0 = 0xD2E7470EE14C6C93ULL, m1 = 0xCA5A826395121157ULL;
        unsigned long long c0 = block + 1, c1 = 0, c2 = iteration, c3 = 0;
        for (int round = 0; round < 10; ++round) {
            unsigned long long h0 = __umul64hi(m0, c0), l0 = m0 * c0;
            unsigned long long h1 = __umul64hi(m1, c2), l1 = m1 * c2;
            c0 = h1 ^ c1 ^ k0; c1 = l1; c2 = h0 ^ c3 ^ k1; c3 = l0;
            k0 += 0x9E3779B97F4A7C15ULL; k1 += 0xBB67AE8584CAA73BULL;
        }
        words[0] = c0; words[1] = c1; words[2] = c2; words[3] = c3;
    }

    // Number i of the eight of the block, in [0, 1).
    __device__ float uniform(int i) const
    {
        unsigned int half = (unsigned int)(words[i / 2] >> (32 * (i % 2)));
        return (half >> 8) * (1.0f / 16777216.0f);
    }
};

// Each thread generates eight random numbers and uses them at once.
extern "C" __global__ void forward(
    const stored* x, stored* y, unsigned char* kept, int count, float ratio, float scale,
    unsigned long long key0, unsigned long long key1, const unsigned long long* iteration)
{
    EACH(block, ((unsigned)count + 7) / 8) {
        Philox numbers(block, key0, key1, *iteration);
        for (int i = 0; i < 8 && block * 8 + i < (unsigned)count; ++i) {
            unsigned at = block * 8 + i;
            bool keep = numbers.uniform(i) >= ratio;
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

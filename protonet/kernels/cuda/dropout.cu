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

// The same for a part of a batch: items of `each` numbers, every `step`-th of the whole batch from
// item `first` on. Its numbers may begin within a block, and go on in another with each item.
extern "C" __global__ void forward_part(
    const stored* x, stored* y, unsigned char* kept, int count, float ratio, float scale,
    int each, int first, int step, unsigned long long key0, unsigned long long key1,
    const unsigned long long* iteration)
{
    EACH(block, ((unsigned)count + 7) / 8) {
        unsigned place = block * 8 % (unsigned)each;
        unsigned long long item = first + (unsigned long long)(block * 8 / (unsigned)each) * step;
        unsigned long long number = item * each + place;
        Philox numbers(number / 8, key0, key1, *iteration);
        for (int i = 0; i < 8 && block * 8 + i < (unsigned)count; ++i) {
            if (i && (place == 0 || number % 8 == 0))
                numbers = Philox(number / 8, key0, key1, *iteration);
            unsigned at = block * 8 + i;
            bool keep = numbers.uniform(number % 8) >= ratio;
            kept[at] = keep;
            y[at] = x[at] * (keep ? scale : 0.0f);
            ++number;
            if (++place == (unsigned)each) {
                place = 0;
                number += (unsigned long long)(step - 1) * each;
            }
        }
    }
}

extern "C" __global__ void backward(
    const stored* dy, const unsigned char* kept, stored* dx, int count, float scale)
{
    auto back = [=](float dy, unsigned char kept, float& dx) { dx = dy * (kept ? scale : 0.0f); };
    each(count, back, dy, kept, dx);
}

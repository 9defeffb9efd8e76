// Solver update rules, each in one pass. `numbers` is in device memory: it holds what changes from
// step to step, so that a captured CUDA graph can be replayed.

extern "C" __global__ void set_numbers(float* numbers, float first, float second, float third)
{
    if (blockIdx.x == 0 && threadIdx.x == 0) {
        numbers[0] = first;
        numbers[1] = second;
        numbers[2] = third;
    }
}

// Returns if the step is skipped; `halt` may be null.
#define UNLESS(halt) if (halt && *halt != 0.0f) return

__device__ float penalty(float w, float decay, int l1)
{
    if (decay == 0.0f) return 0.0f;
    return decay * (l1 ? (float)((w > 0.0f) - (w < 0.0f)) : w);
}

extern "C" __global__ void sgd(
    float* w, const float* g, float* h, const float* numbers, const float* halt, int count,
    float share, float decay, int l1, float momentum)
{
    UNLESS(halt);
    float rate = numbers[0];
    auto step = [=](float& w, float g, float& h) {
        h = momentum * h + rate * (g * share + penalty(w, decay, l1));
        w -= h;
    };
    each(count, step, w, g, h);
}

extern "C" __global__ void nesterov(
    float* w, const float* g, float* h, const float* numbers, const float* halt, int count,
    float share, float decay, int l1, float momentum)
{
    UNLESS(halt);
    float rate = numbers[0];
    auto step = [=](float& w, float g, float& h) {
        float coasted = momentum * h;
        h = coasted + rate * (g * share + penalty(w, decay, l1));
        w -= (1.0f + momentum) * h - coasted;
    };
    each(count, step, w, g, h);
}

extern "C" __global__ void adagrad(
    float* w, const float* g, float* h, const float* numbers, const float* halt, int count,
    float share, float decay, int l1, float delta)
{
    UNLESS(halt);
    float rate = numbers[0];
    auto step = [=](float& w, float g, float& h) {
        float slope = g * share + penalty(w, decay, l1);
        h += slope * slope;
        w -= rate * (slope / (sqrtf(h) + delta));
    };
    each(count, step, w, g, h);
}

extern "C" __global__ void rmsprop(
    float* w, const float* g, float* h, const float* numbers, const float* halt, int count,
    float share, float decay, int l1, float delta, float keep, float take)
{
    UNLESS(halt);
    float rate = numbers[0];
    auto step = [=](float& w, float g, float& h) {
        float slope = g * share + penalty(w, decay, l1);
        h = keep * h + take * (slope * slope);
        w -= rate * (slope / (sqrtf(h) + delta));
    };
    each(count, step, w, g, h);
}

extern "C" __global__ void adadelta(
    float* w, const float* g, float* h, float* s, const float* numbers, const float* halt,
    int count, float share, float decay, int l1, float delta, float keep, float take)
{
    UNLESS(halt);
    float rate = numbers[0];
    auto step = [=](float& w, float g, float& h, float& s) {
        float slope = g * share + penalty(w, decay, l1);
        h = keep * h + take * (slope * slope);
        float u = slope / sqrtf(h + delta) * sqrtf(s + delta);
        s = keep * s + take * (u * u);
        w -= rate * u;
    };
    each(count, step, w, g, h, s);
}

// numbers[0] is the rate, with the bias correction of the averages.
extern "C" __global__ void adam(
    float* w, const float* g, float* m, float* v, const float* numbers, const float* halt,
    int count, float share, float decay, int l1, float delta, float keep, float keep_squares,
    float take, float take_squares)
{
    UNLESS(halt);
    float rate = numbers[0];
    auto step = [=](float& w, float g, float& m, float& v) {
        float slope = g * share + penalty(w, decay, l1);
        v = keep_squares * v + take_squares * (slope * slope);
        m = keep * m + take * slope;
        w -= rate * (m / (sqrtf(v) + delta));
    };
    each(count, step, w, g, m, v);
}

// numbers: the rate over 1 - b1^t, the rate, 1 - b2^t.
extern "C" __global__ void adamw(
    float* w, const float* g, float* m, float* v, const float* numbers, const float* halt,
    int count, float share, float decay, int l1, float delta, float keep, float keep_squares,
    float take, float take_squares)
{
    UNLESS(halt);
    float rate = numbers[0], rate_of_decay = numbers[1], of_squares = numbers[2];
    auto step = [=](float& w, float g, float& m, float& v) {
        float slope = g * share;
        float kept = w - rate_of_decay * penalty(w, decay, l1);
        v = keep_squares * v + take_squares * (slope * slope);
        m = keep * m + take * slope;
        w = kept - rate * (m / (sqrtf(v / of_squares) + delta));
    };
    each(count, step, w, g, m, v);
}

// numbers: the rate, the share of the gradient that enters h.
extern "C" __global__ void torch_sgd(
    float* w, const float* g, float* h, const float* numbers, const float* halt, int count,
    float share, float decay, int l1, float momentum, float nesterov)
{
    UNLESS(halt);
    float rate = numbers[0], take = numbers[1];
    bool ahead = nesterov != 0.0f;
    auto step = [=](float& w, float g, float& h) {
        float slope = g * share + penalty(w, decay, l1);
        h = momentum * h + take * slope;
        w -= rate * (ahead ? slope + momentum * h : h);
    };
    each(count, step, w, g, h);
}

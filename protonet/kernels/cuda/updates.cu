// The steps of solvers, each in one pass. `numbers` lie in the GPU's memory: what of a step changes
// from one to the next, so that a recorded step can be repeated.

extern "C" __global__ void set_numbers(float* numbers, float first, float second, float third)
{
    if (blockIdx.x == 0 && threadIdx.x == 0) {
        numbers[0] = first;
        numbers[1] = second;
        numbers[2] = third;
    }
}

// Where a step is left out. Its number may be missing.
#define UNLESS(halt) if (halt && *halt != 0.0f) return

__device__ float penalty(float w, float decay, int l1)
{
    if (decay == 0.0f) return 0.0f;
    return decay * (l1 ? (float)((w > 0.0f) - (w < 0.0f)) : w);
}

extern "C" __global__ void sgd(
    float* w, const float* g, float* h, const float* numbers, const float* halt, int count, float share, float decay,
    int l1, float momentum)
{
    UNLESS(halt);
    EACH(i, count) {
        float step = momentum * h[i] + numbers[0] * (g[i] * share + penalty(w[i], decay, l1));
        h[i] = step;
        w[i] -= step;
    }
}

extern "C" __global__ void nesterov(
    float* w, const float* g, float* h, const float* numbers, const float* halt, int count, float share, float decay,
    int l1, float momentum)
{
    UNLESS(halt);
    EACH(i, count) {
        float coasted = momentum * h[i];
        float step = coasted + numbers[0] * (g[i] * share + penalty(w[i], decay, l1));
        h[i] = step;
        w[i] -= (1.0f + momentum) * step - coasted;
    }
}

extern "C" __global__ void adagrad(
    float* w, const float* g, float* h, const float* numbers, const float* halt, int count, float share, float decay,
    int l1, float delta)
{
    UNLESS(halt);
    EACH(i, count) {
        float slope = g[i] * share + penalty(w[i], decay, l1);
        h[i] += slope * slope;
        w[i] -= numbers[0] * (slope / (sqrtf(h[i]) + delta));
    }
}

extern "C" __global__ void rmsprop(
    float* w, const float* g, float* h, const float* numbers, const float* halt, int count, float share, float decay,
    int l1, float delta, float keep, float take)
{
    UNLESS(halt);
    EACH(i, count) {
        float slope = g[i] * share + penalty(w[i], decay, l1);
        h[i] = keep * h[i] + take * (slope * slope);
        w[i] -= numbers[0] * (slope / (sqrtf(h[i]) + delta));
    }
}

extern "C" __global__ void adadelta(
    float* w, const float* g, float* h, float* s, const float* numbers, const float* halt, int count, float share,
    float decay, int l1, float delta, float keep, float take)
{
    UNLESS(halt);
    EACH(i, count) {
        float slope = g[i] * share + penalty(w[i], decay, l1);
        h[i] = keep * h[i] + take * (slope * slope);
        float u = slope / sqrtf(h[i] + delta) * sqrtf(s[i] + delta);
        s[i] = keep * s[i] + take * (u * u);
        w[i] -= numbers[0] * u;
    }
}

// numbers[0] is the rate with what makes up for averages that began at 0.
extern "C" __global__ void adam(
    float* w, const float* g, float* m, float* v, const float* numbers, const float* halt, int count, float share,
    float decay, int l1, float delta, float keep, float keep_squares, float take,
    float take_squares)
{
    UNLESS(halt);
    EACH(i, count) {
        float slope = g[i] * share + penalty(w[i], decay, l1);
        v[i] = keep_squares * v[i] + take_squares * (slope * slope);
        m[i] = keep * m[i] + take * slope;
        w[i] -= numbers[0] * (m[i] / (sqrtf(v[i]) + delta));
    }
}

// numbers: the rate over 1 - b1^t, the rate, 1 - b2^t.
extern "C" __global__ void adamw(
    float* w, const float* g, float* m, float* v, const float* numbers, const float* halt, int count, float share,
    float decay, int l1, float delta, float keep, float keep_squares, float take,
    float take_squares)
{
    UNLESS(halt);
    EACH(i, count) {
        float slope = g[i] * share;
        float kept = w[i] - numbers[1] * penalty(w[i], decay, l1);
        v[i] = keep_squares * v[i] + take_squares * (slope * slope);
        m[i] = keep * m[i] + take * slope;
        w[i] = kept - numbers[0] * (m[i] / (sqrtf(v[i] / numbers[2]) + delta));
    }
}

// Up to four arrays of one shape made one: arrays that are not there are null.

extern "C" __global__ void weighted_sum(
    const stored* x0, const stored* x1, const stored* x2, const stored* x3, float c0, float c1,
    float c2, float c3, stored* y, int count, int rectify)
{
    EACH(i, count) {
        float value = c0 * x0[i];
        if (x1) value += c1 * x1[i];
        if (x2) value += c2 * x2[i];
        if (x3) value += c3 * x3[i];
        y[i] = rectify ? rectified(value) : value;
    }
}

// With y, dy counts as 0 where y is not above 0.
extern "C" __global__ void scatter(
    const stored* dy, const stored* y, float c0, float c1, float c2, float c3, stored* dx0,
    stored* dx1, stored* dx2, stored* dx3, int count)
{
    EACH(i, count) {
        float value = y && !(y[i] > 0.0f) ? 0.0f : (float)dy[i];
        if (dx0) dx0[i] = c0 * value;
        if (dx1) dx1[i] = c1 * value;
        if (dx2) dx2[i] = c2 * value;
        if (dx3) dx3[i] = c3 * value;
    }
}

extern "C" __global__ void product(
    const stored* x0, const stored* x1, const stored* x2, const stored* x3, stored* y, int count,
    int rectify)
{
    EACH(i, count) {
        float value = x0[i];
        if (x1) value *= x1[i];
        if (x2) value *= x2[i];
        if (x3) value *= x3[i];
        y[i] = rectify ? rectified(value) : value;
    }
}

// dx = dy y / x
extern "C" __global__ void quotient(
    const stored* dy, const stored* y, const stored* x, stored* dx, int count)
{
    EACH(i, count) dx[i] = y[i] / x[i] * dy[i];
}

// What is greater takes the place; what is no number takes every place, and nothing takes its own.
#define CHALLENGE(x, place) \
    if (x) { \
        float challenger = x[i]; \
        if (challenger > value) held_by = place; \
        if (!(challenger <= value) && value == value) value = challenger; \
    }

// x0 holds the place `first`, those behind it the next; with y0, the greatest so far is there, and
// `winner` says whose it is.
extern "C" __global__ void greatest(
    const stored* x0, const stored* x1, const stored* x2, const stored* x3, const stored* y0,
    stored* y, unsigned char* winner, int first, int count, int rectify)
{
    EACH(i, count) {
        float value = y0 ? y0[i] : x0[i];
        int held_by = y0 ? winner[i] : x1[i] >= value;
        if (y0) { CHALLENGE(x0, first) }
        CHALLENGE(x1, first + 1)
        CHALLENGE(x2, first + 2)
        CHALLENGE(x3, first + 3)
        winner[i] = (unsigned char)held_by;
        y[i] = rectify ? rectified(value) : value;
    }
}

extern "C" __global__ void greatest_back(
    const stored* dy, const unsigned char* winner, int place, stored* dx, int count)
{
    EACH(i, count) dx[i] = winner[i] == place ? (float)dy[i] : 0.0f;
}

// Elementwise combinations of up to four arrays of one shape; missing arrays are null.

extern "C" __global__ void weighted_sum(
    const stored* x0, const stored* x1, const stored* x2, const stored* x3, float c0, float c1,
    float c2, float c3, stored* y, int count, int rectify)
{
    auto sum = [=](float a, float b, float c, float d, float& y) {
        float value = c0 * a;
        if (x1) value += c1 * b;
        if (x2) value += c2 * c;
        if (x3) value += c3 * d;
        y = rectify ? rectified(value) : value;
    };
    each(count, sum, x0, x1, x2, x3, y);
}

// With y, dy counts as 0 where y is not above 0.
extern "C" __global__ void scatter(
    const stored* dy, const stored* y, float c0, float c1, float c2, float c3, stored* dx0,
    stored* dx1, stored* dx2, stored* dx3, int count)
{
    bool masks = y;
    auto shares = [=](float dy, float y, float& a, float& b, float& c, float& d) {
        float value = masks && !(y > 0.0f) ? 0.0f : dy;
        a = c0 * value;
        b = c1 * value;
        c = c2 * value;
        d = c3 * value;
    };
    each(count, shares, dy, y, dx0, dx1, dx2, dx3);
}

extern "C" __global__ void product(
    const stored* x0, const stored* x1, const stored* x2, const stored* x3, stored* y, int count,
    int rectify)
{
    auto multiply = [=](float a, float b, float c, float d, float& y) {
        float value = a;
        if (x1) value *= b;
        if (x2) value *= c;
        if (x3) value *= d;
        y = rectify ? rectified(value) : value;
    };
    each(count, multiply, x0, x1, x2, x3, y);
}

// dx = dy y / x
extern "C" __global__ void quotient(
    const stored* dy, const stored* y, const stored* x, stored* dx, int count)
{
    each(count, [](float dy, float y, float x, float& dx) { dx = y / x * dy; }, dy, y, x, dx);
}

// A greater value becomes the maximum. NaN replaces any value, and nothing replaces NaN; it leaves
// the argmax unchanged.
#define CHALLENGE(x, challenger, place) \
    if (x) { \
        if (challenger > value) held_by = place; \
        if (!(challenger <= value) && value == value) value = challenger; \
    }

// x0 is array `first`, the others follow it. With y0, y0 is the running maximum and `winner` its
// argmax.
extern "C" __global__ void greatest(
    const stored* x0, const stored* x1, const stored* x2, const stored* x3, const stored* y0,
    stored* y, unsigned char* winner, int first, int count, int rectify)
{
    auto compare = [=](float a, float b, float c, float d, float so_far, float& y,
                       unsigned char& winner) {
        float value = y0 ? so_far : a;
        int held_by = y0 ? winner : b >= value;
        if (y0) { CHALLENGE(x0, a, first) }
        CHALLENGE(x1, b, first + 1)
        CHALLENGE(x2, c, first + 2)
        CHALLENGE(x3, d, first + 3)
        winner = (unsigned char)held_by;
        y = rectify ? rectified(value) : value;
    };
    each(count, compare, x0, x1, x2, x3, y0, y, winner);
}

extern "C" __global__ void greatest_back(
    const stored* dy, const unsigned char* winner, int place, stored* dx, int count)
{
    auto back = [=](float dy, unsigned char winner, float& dx) {
        dx = winner == place ? dy : 0.0f;
    };
    each(count, back, dy, winner, dx);
}

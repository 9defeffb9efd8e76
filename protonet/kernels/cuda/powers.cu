// Elementwise powers, exponentials and logarithms, and their gradients.

// A ReLU can be fused where `power` is 1.
extern "C" __global__ void power(
    const stored* x, stored* y, int count, float power, float scale, float shift, int rectify)
{
    auto one = [=](float x, float& y) {
        float base = scale * x + shift;
        float value = power == 1.0f ? base : power == 2.0f ? base * base : powf(base, power);
        y = rectify ? rectified(value) : value;
    };
    each(count, one, x, y);
}

// x is not read where `power` is 1; with y, dy counts as 0 where y is not above 0.
extern "C" __global__ void power_back(
    const stored* dy, const stored* x, const stored* y, stored* dx, int count, float power,
    float scale, float shift)
{
    bool masks = y;
    auto back = [=](float dy, float x, float y, float& dx) {
        float slope = power * scale;
        if (power != 1.0f) {
            float base = scale * x + shift;
            slope *= power == 2.0f ? base : powf(base, power - 1.0f);
        }
        dx = masks && !(y > 0.0f) ? 0.0f : dy * slope;
    };
    each(count, back, dy, power == 1.0f ? nullptr : x, y, dx);
}

extern "C" __global__ void exponential(
    const stored* x, stored* y, int count, float inner, float outer)
{
    each(count, [=](float x, float& y) { y = outer * expf(inner * x); }, x, y);
}

// y already includes the factor outer.
extern "C" __global__ void exponential_back(
    const stored* dy, const stored* y, stored* dx, int count, float inner, float outer)
{
    each(count, [=](float dy, float y, float& dx) { dx = inner * dy * y; }, dy, y, dx);
}

extern "C" __global__ void logarithm(
    const stored* x, stored* y, int count, float scale, float shift, float factor)
{
    each(count, [=](float x, float& y) { y = factor * logf(scale * x + shift); }, x, y);
}

extern "C" __global__ void logarithm_back(
    const stored* dy, const stored* x, stored* dx, int count, float scale, float shift,
    float factor)
{
    auto back = [=](float dy, float x, float& dx) {
        dx = dy * (scale * factor / (scale * x + shift));
    };
    each(count, back, dy, x, dx);
}

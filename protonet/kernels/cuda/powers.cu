// Powers, exponentials and logarithms of single elements, and their gradients.

// With `power` 1, what is below 0 may be made 0.
extern "C" __global__ void power(
    const stored* x, stored* y, int count, float power, float scale, float shift, int rectify)
{
    EACH(i, count) {
        float base = scale * x[i] + shift;
        float value = power == 1.0f ? base : power == 2.0f ? base * base : powf(base, power);
        y[i] = rectify ? rectified(value) : value;
    }
}

// x is not looked at with `power` 1; with y, dy counts as 0 where y is not above 0.
extern "C" __global__ void power_back(
    const stored* dy, const stored* x, const stored* y, stored* dx, int count, float power,
    float scale, float shift)
{
    EACH(i, count) {
        float slope = power * scale;
        if (power != 1.0f) {
            float base = scale * x[i] + shift;
            slope *= power == 2.0f ? base : powf(base, power - 1.0f);
        }
        dx[i] = y && !(y[i] > 0.0f) ? 0.0f : dy[i] * slope;
    }
}

extern "C" __global__ void exponential(
    const stored* x, stored* y, int count, float inner, float outer)
{
    EACH(i, count) y[i] = outer * expf(inner * x[i]);
}

// outer is in y already.
extern "C" __global__ void exponential_back(
    const stored* dy, const stored* y, stored* dx, int count, float inner, float outer)
{
    EACH(i, count) dx[i] = inner * dy[i] * y[i];
}

extern "C" __global__ void logarithm(
    const stored* x, stored* y, int count, float scale, float shift, float factor)
{
    EACH(i, count) y[i] = factor * logf(scale * x[i] + shift);
}

extern "C" __global__ void logarithm_back(
    const stored* dy, const stored* x, stored* dx, int count, float scale, float shift,
    float factor)
{
    EACH(i, count) dx[i] = dy[i] * (scale * factor / (scale * x[i] + shift));
}

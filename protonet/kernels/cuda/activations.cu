// Elementwise activations and their gradients.

extern "C" __global__ void rectify(const stored* x, stored* y, int count, float slope)
{
    each(count, [=](float x, float& y) { y = x < 0.0f ? x * slope : x; }, x, y);
}

extern "C" __global__ void rectify_back(
    const stored* dy, const stored* sided, stored* dx, int count, float slope)
{
    auto back = [=](float dy, float sided, float& dx) { dx = sided > 0.0f ? dy : dy * slope; };
    each(count, back, dy, sided, dx);
}

// Propagates NaN.
extern "C" __global__ void clip(const stored* x, stored* y, int count, float low, float high)
{
    each(count, [=](float x, float& y) { y = x < low ? low : x > high ? high : x; }, x, y);
}

extern "C" __global__ void clip_back(
    const stored* dy, const stored* x, stored* dx, int count, float low, float high, int is_open)
{
    auto back = [=](float dy, float x, float& dx) {
        bool inside = is_open ? x > low && x < high : x >= low && x <= high;
        dx = inside ? dy : 0.0f;
    };
    each(count, back, dy, x, dx);
}

extern "C" __global__ void elu(const stored* x, stored* y, int count, float alpha)
{
    each(count, [=](float x, float& y) { y = x > 0.0f ? x : alpha * expm1f(x); }, x, y);
}

extern "C" __global__ void elu_back(
    const stored* dy, const stored* y, const stored* sided, stored* dx, int count, float alpha)
{
    auto back = [=](float dy, float y, float sided, float& dx) {
        dx = sided > 0.0f ? dy : dy * (y + alpha);
    };
    each(count, back, dy, y, sided, dx);
}

extern "C" __global__ void swish(const stored* x, stored* y, int count, float beta)
{
    each(count, [=](float x, float& y) { y = x * sigmoid(beta * x); }, x, y);
}

extern "C" __global__ void swish_back(
    const stored* dy, const stored* x, stored* dx, int count, float beta)
{
    auto back = [=](float dy, float x, float& dx) {
        float gate = sigmoid(beta * x);
        dx = dy * gate * (1.0f + beta * x * (1.0f - gate));
    };
    each(count, back, dy, x, dx);
}

extern "C" __global__ void sigmoid_forward(const stored* x, stored* y, int count)
{
    each(count, [](float x, float& y) { y = sigmoid(x); }, x, y);
}

extern "C" __global__ void sigmoid_back(
    const stored* dy, const stored* y, stored* dx, int count)
{
    each(count, [](float dy, float y, float& dx) { dx = dy * y * (1.0f - y); }, dy, y, dx);
}

extern "C" __global__ void tanh_forward(const stored* x, stored* y, int count)
{
    each(count, [](float x, float& y) { y = tanhf(x); }, x, y);
}

extern "C" __global__ void tanh_back(const stored* dy, const stored* y, stored* dx, int count)
{
    each(count, [](float dy, float y, float& dx) { dx = dy * (1.0f - y * y); }, dy, y, dx);
}

// log(1 + exp(x))
extern "C" __global__ void softplus(const stored* x, stored* y, int count)
{
    each(count, [](float x, float& y) { y = soft_positive(x); }, x, y);
}

extern "C" __global__ void softplus_back(
    const stored* dy, const stored* y, stored* dx, int count)
{
    each(count, [](float dy, float y, float& dx) { dx = -dy * expm1f(-y); }, dy, y, dx);
}

extern "C" __global__ void absolute(const stored* x, stored* y, int count)
{
    each(count, [](float x, float& y) { y = fabsf(x); }, x, y);
}

extern "C" __global__ void absolute_back(
    const stored* dy, const stored* x, stored* dx, int count)
{
    each(count, [](float dy, float x, float& dx) { dx = dy * sign(x); }, dy, x, dx);
}

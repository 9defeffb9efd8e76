// Functions of single elements, and their gradients.

extern "C" __global__ void rectify(const stored* x, stored* y, int count, float slope)
{
    EACH(i, count) y[i] = x[i] < 0.0f ? x[i] * slope : (float)x[i];
}

extern "C" __global__ void rectify_back(
    const stored* dy, const stored* sided, stored* dx, int count, float slope)
{
    EACH(i, count) dx[i] = sided[i] > 0.0f ? (float)dy[i] : dy[i] * slope;
}

// What is no number stays none.
extern "C" __global__ void clip(const stored* x, stored* y, int count, float low, float high)
{
    EACH(i, count) {
        float value = x[i];
        y[i] = value < low ? low : value > high ? high : value;
    }
}

extern "C" __global__ void clip_back(
    const stored* dy, const stored* x, stored* dx, int count, float low, float high, int is_open)
{
    EACH(i, count) {
        float value = x[i];
        bool inside = is_open ? value > low && value < high : value >= low && value <= high;
        dx[i] = inside ? (float)dy[i] : 0.0f;
    }
}

extern "C" __global__ void elu(const stored* x, stored* y, int count, float alpha)
{
    EACH(i, count) {
        float value = x[i];
        y[i] = value > 0.0f ? value : alpha * expm1f(value);
    }
}

extern "C" __global__ void elu_back(
    const stored* dy, const stored* y, const stored* sided, stored* dx, int count, float alpha)
{
    EACH(i, count) dx[i] = sided[i] > 0.0f ? (float)dy[i] : dy[i] * (y[i] + alpha);
}

extern "C" __global__ void swish(const stored* x, stored* y, int count, float beta)
{
    EACH(i, count) y[i] = x[i] * sigmoid(beta * x[i]);
}

extern "C" __global__ void swish_back(
    const stored* dy, const stored* x, stored* dx, int count, float beta)
{
    EACH(i, count) {
        float gate = sigmoid(beta * x[i]);
        dx[i] = dy[i] * gate * (1.0f + beta * x[i] * (1.0f - gate));
    }
}

extern "C" __global__ void sigmoid_forward(const stored* x, stored* y, int count)
{
    EACH(i, count) y[i] = sigmoid(x[i]);
}

extern "C" __global__ void sigmoid_back(
    const stored* dy, const stored* y, stored* dx, int count)
{
    EACH(i, count) dx[i] = dy[i] * y[i] * (1.0f - y[i]);
}

extern "C" __global__ void tanh_forward(const stored* x, stored* y, int count)
{
    EACH(i, count) y[i] = tanhf(x[i]);
}

extern "C" __global__ void tanh_back(const stored* dy, const stored* y, stored* dx, int count)
{
    EACH(i, count) dx[i] = dy[i] * (1.0f - y[i] * y[i]);
}

// log(1 + exp(x))
extern "C" __global__ void softplus(const stored* x, stored* y, int count)
{
    EACH(i, count) y[i] = soft_positive(x[i]);
}

extern "C" __global__ void softplus_back(
    const stored* dy, const stored* y, stored* dx, int count)
{
    EACH(i, count) dx[i] = -dy[i] * expm1f(-y[i]);
}

extern "C" __global__ void absolute(const stored* x, stored* y, int count)
{
    EACH(i, count) y[i] = fabsf(x[i]);
}

extern "C" __global__ void absolute_back(
    const stored* dy, const stored* x, stored* dx, int count)
{
    EACH(i, count) dx[i] = dy[i] * sign(x[i]);
}

extern "C" __global__ void rectify(const float* x, float* y, int count, float slope)
{
    EACH(i, count) y[i] = x[i] < 0.0f ? x[i] * slope : x[i];
}

extern "C" __global__ void rectify_back(
    const float* dy, const float* sided, float* dx, int count, float slope)
{
    EACH(i, count) dx[i] = sided[i] > 0.0f ? dy[i] : dy[i] * slope;
}

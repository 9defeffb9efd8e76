extern "C" __global__ void rectify(const stored* x, stored* y, int count, float slope)
{
    EACH(i, count) y[i] = x[i] < 0.0f ? x[i] * slope : x[i];
}

extern "C" __global__ void rectify_back(
    const stored* dy, const stored* sided, stored* dx, int count, float slope)
{
    EACH(i, count) dx[i] = sided[i] > 0.0f ? dy[i] : dy[i] * slope;
}

extern "C" __global__ void narrow(const float* x, stored* y, int count)
{
    EACH(i, count) y[i] = x[i];
}

extern "C" __global__ void widen(const stored* x, float* y, int count)
{
    EACH(i, count) y[i] = x[i];
}

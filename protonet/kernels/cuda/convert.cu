extern "C" __global__ void narrow(const float* x, stored* y, int count)
{
    each(count, [](float x, float& y) { y = x; }, x, y);
}

extern "C" __global__ void widen(const stored* x, float* y, int count)
{
    each(count, [](float x, float& y) { y = x; }, x, y);
}

// Two arrays of one shape made one.

extern "C" __global__ void weighted_sum(
    const float* a, const float* b, float c, float d, float* y, int count, int rectify)
{
    EACH(i, count) {
        float value = c * a[i] + d * b[i];
        y[i] = rectify ? rectified(value) : value;
    }
}

// With y, dy counts as 0 where y is not above 0.
extern "C" __global__ void scatter(
    const float* dy, const float* y, float c, float d, float* da, float* db, int count)
{
    EACH(i, count) {
        float value = y && !(y[i] > 0.0f) ? 0.0f : dy[i];
        if (da) da[i] = c * value;
        if (db) db[i] = d * value;
    }
}

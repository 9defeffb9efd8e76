// Two arrays of one shape made one.

extern "C" __global__ void weighted_sum(
    const stored* a, const stored* b, float c, float d, stored* y, int count, int rectify)
{
    EACH(i, count) {
        float value = c * a[i] + d * b[i];
        y[i] = rectify ? rectified(value) : value;
    }
}

// With y, dy counts as 0 where y is not above 0.
extern "C" __global__ void scatter(
    const stored* dy, const stored* y, float c, float d, stored* da, stored* db, int count)
{
    EACH(i, count) {
        float value = y && !(y[i] > 0.0f) ? 0.0f : dy[i];
        if (da) da[i] = c * value;
        if (db) db[i] = d * value;
    }
}

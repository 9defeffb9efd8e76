// Divides gradients by the loss scale. counts: steps since the scale changed, whether this step is
// skipped, how many steps were skipped in a row, whether a gradient is not finite.

extern "C" __global__ void divide(float* g, const float* scale, float* counts, int count)
{
    float share = 1.0f / *scale;
    auto one = [=](float& g) {
        g *= share;
        // a benign race: all threads write the same value
        if (!(fabsf(g) <= 3.4028234e38f)) counts[3] = 1.0f;
    };
    each(count, one, g);
}

extern "C" __global__ void settle(float* scale, float* counts, float patience, float largest)
{
    if (blockIdx.x || threadIdx.x) return;
    bool finite = counts[3] == 0.0f;
    counts[0] = finite ? counts[0] + 1.0f : 0.0f;
    counts[1] = finite ? 0.0f : 1.0f;
    counts[2] = finite ? 0.0f : counts[2] + 1.0f;
    counts[3] = 0.0f;
    if (!finite) *scale *= 0.5f;
    else if (counts[0] >= patience) {
        *scale = fminf(*scale * 2.0f, largest);
        counts[0] = 0.0f;
    }
}

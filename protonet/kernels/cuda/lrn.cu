// Local response normalization over the `half` channels on both sides; scale is s.

extern "C" __global__ void across(
    const stored* x, stored* y, float* scale, int items, int channels, int places, int half,
    float weight, float beta, float k)
{
    EACH(i, (wide)items * channels * places) {
        int channel = (int)(i / places % channels);
        float squares = 0.0f;
        for (int c = max(channel - half, 0); c <= min(channel + half, channels - 1); ++c) {
            float value = x[i + (wide)(c - channel) * places];
            squares += value * value;
        }
        float s = squares * weight + k;
        if (scale) scale[i] = s;
        y[i] = x[i] * powf(s, -beta);
    }
}

// weight is 2 alpha beta / size.
extern "C" __global__ void across_back(
    const stored* dy, const stored* x, const stored* y, const float* scale, stored* dx, int items,
    int channels, int places, int half, float weight, float beta)
{
    EACH(i, (wide)items * channels * places) {
        int channel = (int)(i / places % channels);
        float around = 0.0f;
        for (int c = max(channel - half, 0); c <= min(channel + half, channels - 1); ++c) {
            wide at = i + (wide)(c - channel) * places;
            around += dy[at] * y[at] / scale[at];
        }
        dx[i] = dy[i] * powf(scale[i], -beta) - around * x[i] * weight;
    }
}

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

// The same over the places around, `half` on each side, of planes of height x width.

extern "C" __global__ void within(
    const stored* x, stored* y, float* scale, int planes, int height, int width, int half,
    float weight, float beta)
{
    EACH(i, (wide)planes * height * width) {
        wide plane = i / ((wide)height * width) * height * width;
        int at_y = (int)(i / width % height), at_x = (int)(i % width);
        float squares = 0.0f;
        for (int iy = max(at_y - half, 0); iy <= min(at_y + half, height - 1); ++iy)
            for (int ix = max(at_x - half, 0); ix <= min(at_x + half, width - 1); ++ix) {
                float value = x[plane + iy * width + ix];
                squares += value * value;
            }
        float s = squares * weight + 1.0f;
        if (scale) scale[i] = s;
        y[i] = x[i] * powf(s, -beta);
    }
}

extern "C" __global__ void within_back(
    const stored* dy, const stored* x, const stored* y, const float* scale, stored* dx, int planes,
    int height, int width, int half, float weight, float beta)
{
    EACH(i, (wide)planes * height * width) {
        wide plane = i / ((wide)height * width) * height * width;
        int at_y = (int)(i / width % height), at_x = (int)(i % width);
        float around = 0.0f;
        for (int iy = max(at_y - half, 0); iy <= min(at_y + half, height - 1); ++iy)
            for (int ix = max(at_x - half, 0); ix <= min(at_x + half, width - 1); ++ix) {
                wide at = plane + iy * width + ix;
                around += dy[at] * y[at] / scale[at];
            }
        dx[i] = dy[i] * powf(scale[i], -beta) - around * x[i] * weight;
    }
}

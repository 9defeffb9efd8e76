// Local response normalization over `half` channels on both sides; scale is s.

extern "C" __global__ void across(
    const stored* x, stored* y, float* scale, int items, Extent channels, Extent places, int half,
    float weight, float beta, float k)
{
    EACH(i, items * channels.count * places.count) {
        int channel = Channel(i, channels, places);
        float squares = 0.0f;
        for (int c = max(channel - half, 0); c <= min(channel + half, channels.count - 1); ++c) {
            float value = x[i + (wide)(c - channel) * places.count];
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
    Extent channels, Extent places, int half, float weight, float beta)
{
    EACH(i, items * channels.count * places.count) {
        int channel = Channel(i, channels, places);
        float around = 0.0f;
        for (int c = max(channel - half, 0); c <= min(channel + half, channels.count - 1); ++c) {
            wide at = i + (wide)(c - channel) * places.count;
            around += dy[at] * y[at] / scale[at];
        }
        dx[i] = dy[i] * powf(scale[i], -beta) - around * x[i] * weight;
    }
}

// The same over neighbouring places, `half` on each side, of planes of height x width.

extern "C" __global__ void within(
    const stored* x, stored* y, float* scale, int planes, Extent height, Extent width, int half,
    float weight, float beta)
{
    EACH(i, planes * height.count * width.count) {
        Spot at(i, height, width);
        unsigned plane = i - at.y * at.width - at.x;
        float squares = 0.0f;
        for (int iy = max(at.y - half, 0); iy <= min(at.y + half, at.height - 1); ++iy)
            for (int ix = max(at.x - half, 0); ix <= min(at.x + half, at.width - 1); ++ix) {
                float value = x[plane + iy * at.width + ix];
                squares += value * value;
            }
        float s = squares * weight + 1.0f;
        if (scale) scale[i] = s;
        y[i] = x[i] * powf(s, -beta);
    }
}

extern "C" __global__ void within_back(
    const stored* dy, const stored* x, const stored* y, const float* scale, stored* dx, int planes,
    Extent height, Extent width, int half, float weight, float beta)
{
    EACH(i, planes * height.count * width.count) {
        Spot at(i, height, width);
        unsigned plane = i - at.y * at.width - at.x;
        float around = 0.0f;
        for (int iy = max(at.y - half, 0); iy <= min(at.y + half, at.height - 1); ++iy)
            for (int ix = max(at.x - half, 0); ix <= min(at.x + half, at.width - 1); ++ix) {
                unsigned near = plane + iy * at.width + ix;
                around += dy[near] * y[near] / scale[near];
            }
        dx[i] = dy[i] * powf(scale[i], -beta) - around * x[i] * weight;
    }
}

// Whether at least `least` of an item's scores are below that of its label, for arrays of before x
// classes x after. An item whose label is not a class scores 0.

__device__ float score_of(const float* x, wide start, float label, int classes, int after)
{
    int c = (int)label;
    return c >= 0 && c < classes && (float)c == label ? x[start + (wide)c * after] : 0.0f;
}

// One block per item.
extern "C" __global__ void in_top_k_wide(
    const float* x, const float* labels, float* right, int before, int classes, int after, int least)
{
    __shared__ float shared[BLOCK];
    wide item = blockIdx.x, start = item / after * classes * after + item % after;
    float score = score_of(x, start, labels[item], classes, after), below = 0.0f;
    for (int c = threadIdx.x; c < classes; c += BLOCK) below += x[start + (wide)c * after] < score;
    below = block_sum(below, shared);
    if (threadIdx.x == 0) right[item] = below >= (float)least ? 1.0f : 0.0f;
}

// One thread per item.
extern "C" __global__ void in_top_k_many(
    const float* x, const float* labels, float* right, int before, int classes, int after, int least)
{
    EACH(item, before * after) {
        wide start = item / after * classes * after + item % after;
        float score = score_of(x, start, labels[item], classes, after);
        int below = 0;
        for (int c = 0; c < classes; ++c) below += x[start + (wide)c * after] < score;
        right[item] = below >= least ? 1.0f : 0.0f;
    }
}

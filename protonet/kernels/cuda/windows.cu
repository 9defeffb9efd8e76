// im2col and col2im in any number of axes: columns are (channel, kernel place) x (image, output
// place). `geometry` holds six numbers for each axis: the extent of the input, that of the kernel,
// the stride, the padding, the dilation, and the extent of the output.
#define NUMBERS 6

// The columns may have more than 2^31 elements.
#define EACH_OF_MANY(i, count) \
    for (wide i = blockIdx.x * (wide)BLOCK + threadIdx.x; i < (count); i += (wide)gridDim.x * BLOCK)

// kernel and places are the products of the extents over all axes.
extern "C" __global__ void im2col(
    const stored* x, stored* columns, const int* geometry, int axes, int items, int channels,
    int kernel, int places)
{
    wide count = (wide)items * places;
    EACH_OF_MANY(i, count * channels * kernel) {
        wide row = i / count, item = i % count / places, offset = 0, step = 1;
        int place = (int)(i % places);
        bool inside = true;
        for (int axis = axes - 1; axis >= 0; --axis) {
            const int* of = geometry + axis * NUMBERS;
            int at = place % of[5] * of[2] - of[3] + (int)(row % of[1]) * of[4];
            inside = inside && at >= 0 && at < of[0];
            offset += at * step;
            step *= of[0];
            place /= of[5];
            row /= of[1];
        }
        // the remaining index is the channel
        columns[i] = inside ? (float)x[(item * channels + row) * step + offset] : 0.0f;
    }
}

// size is the product of the inputs' extents.
extern "C" __global__ void col2im(
    const stored* columns, stored* x, const int* geometry, int axes, int items, int channels,
    int kernel, int places, int size)
{
    EACH_OF_MANY(i, (wide)items * channels * size) {
        wide channel = i / size % channels, item = i / size / channels;
        float total = 0.0f;
        for (int k = 0; k < kernel; ++k) {
            int rest = (int)(i % size), of_kernel = k;
            wide place = 0, step = 1;
            bool met = true;
            for (int axis = axes - 1; axis >= 0 && met; --axis) {
                const int* of = geometry + axis * NUMBERS;
                int at = rest % of[0] + of[3] - of_kernel % of[1] * of[4];
                met = at >= 0 && at % of[2] == 0 && at / of[2] < of[5];
                place += at / of[2] * step;
                step *= of[5];
                rest /= of[0];
                of_kernel /= of[1];
            }
            if (met) total += columns[((channel * kernel + k) * items + item) * places + place];
        }
        x[i] = total;
    }
}

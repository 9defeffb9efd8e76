// What the sources of this folder share. Plain float, no headers: NVRTC compiles it as it is, and
// the tests run it on a CPU.
#define BLOCK 256

typedef long long wide;

// The first element of a thread, and the step to its next one.
#define EACH(i, count) \
    for (wide i = blockIdx.x * (wide)blockDim.x + threadIdx.x; i < (count); \
         i += (wide)gridDim.x * blockDim.x)

// The sum over a block of BLOCK threads, in a fixed order, known to all of them.
__device__ float block_sum(float value, float* shared)
{
    shared[threadIdx.x] = value;
    __syncthreads();
    for (int half = BLOCK / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
        __syncthreads();
    }
    float total = shared[0];
    __syncthreads();
    return total;
}

__device__ float block_max(float value, float* shared)
{
    shared[threadIdx.x] = value;
    __syncthreads();
    for (int half = BLOCK / 2; half > 0; half /= 2) {
        if (threadIdx.x < half)
            shared[threadIdx.x] = fmaxf(shared[threadIdx.x], shared[threadIdx.x + half]);
        __syncthreads();
    }
    float greatest = shared[0];
    __syncthreads();
    return greatest;
}

// What is below 0 becomes 0; what is no number stays none.
__device__ float rectified(float value) { return value < 0.0f ? 0.0f : value; }

// Shared by all sources of this folder. It includes no headers: NVRTC compiles it as it is, and the
// tests run it on a CPU.
#define BLOCK 256

typedef long long wide;

// A value of a blob or of its gradient as it is stored: float, or a 16-bit type that is widened to
// float when it is read, and rounded to the nearest when it is written.
#if defined(BFLOAT16)
struct stored {
    unsigned short bits;
    __device__ operator float() const { return __uint_as_float((unsigned)bits << 16); }
    __device__ stored& operator=(float value)
    {
#if __CUDA_ARCH__ >= 800
        asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
#else
        unsigned whole = __float_as_uint(value);
        bool is_number = value == value;
        bits = is_number ? (whole + 0x7fffu + (whole >> 16 & 1)) >> 16 : whole >> 16 | 0x40u;
#endif
        return *this;
    }
};
#elif defined(FLOAT16)
#ifdef __CUDA_ARCH__
__device__ float __widen_half(unsigned short bits)
{
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
}
__device__ unsigned short __round_to_half(float value)
{
    unsigned short bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}
#endif
struct stored {
    unsigned short bits;
    __device__ operator float() const { return __widen_half(bits); }
    __device__ stored& operator=(float value) { bits = __round_to_half(value); return *this; }
};
#else
typedef float stored;
#endif

// Grid-stride loop over `count` elements. Counts are below 2^31.
#define EACH(i, count) \
    for (unsigned i = blockIdx.x * BLOCK + threadIdx.x; i < (unsigned)(count); \
         i += gridDim.x * BLOCK)

// The sum over a block of BLOCK threads, in a fixed order, returned to all of them.
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

// ReLU; propagates NaN.
__device__ float rectified(float value) { return value < 0.0f ? 0.0f : value; }

// 1 / (1 + exp(-x)), without overflow.
__device__ float sigmoid(float x) { return 0.5f * tanhf(0.5f * x) + 0.5f; }

// log(1 + exp(x)), without overflow.
__device__ float soft_positive(float x) { return fmaxf(x, 0.0f) + log1pf(expf(-fabsf(x))); }

// -1, 0 or 1; propagates NaN.
__device__ float sign(float x) { return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x; }

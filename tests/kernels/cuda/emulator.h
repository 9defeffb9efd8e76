// CUDA's words for a C++ compiler: the threads of a block are fibers of one thread, which take turns
// at every barrier; blocks follow each other. Slow, but every line of a kernel runs.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>
#include <ucontext.h>

struct Triple { unsigned x, y, z; };
static Triple blockIdx, threadIdx, gridDim, blockDim;

#define __global__ static
#define __device__ inline
#define __forceinline__
#define __restrict__
#define __shared__ static

using std::max;
using std::min;

static ucontext_t scheduler;
static std::vector<ucontext_t> fibers;
static std::vector<char> running;
static unsigned at_thread;
static void (*body)(void**);
static void** body_arguments;

static void __syncthreads() { swapcontext(&fibers[at_thread], &scheduler); }

static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b)
{
    return (unsigned long long)(((unsigned __int128)a * b) >> 64);
}

static inline unsigned __umulhi(unsigned a, unsigned b)
{
    return (unsigned)(((unsigned long long)a * b) >> 32);
}

static inline int __clz(int value) { return value ? __builtin_clz(value) : 32; }

static inline unsigned __float_as_uint(float value)
{
    unsigned bits;
    std::memcpy(&bits, &value, 4);
    return bits;
}

static inline float __uint_as_float(unsigned bits)
{
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}

static inline float __widen_half(unsigned short bits)
{
    unsigned sign = (bits & 0x8000u) << 16, exponent = bits >> 10 & 31, digits = bits & 0x3ff;
    if (exponent == 0) return std::copysign(digits / 16777216.0f, __uint_as_float(sign));
    exponent = exponent == 31 ? 255 : exponent + 112;
    return __uint_as_float(sign | exponent << 23 | digits << 13);
}

static inline unsigned short __round_to_half(float value)
{
    unsigned bits = __float_as_uint(value), sign = bits >> 16 & 0x8000u;
    bits &= 0x7fffffffu;
    if (bits > 0x7f800000u) return 0x7fff;
    if (bits >= 0x47800000u) return sign | 0x7c00u;
    // In the sum with 0.5 the last digit is the last of a half below 2^-14.
    if (bits < 0x38800000u)
        return sign | (__float_as_uint(__uint_as_float(bits) + 0.5f) - 0x3f000000u);
    return sign | (bits + 0xfffu + (bits >> 13 & 1) - 0x38000000u) >> 13;
}

static void fiber()
{
    body(body_arguments);
    running[at_thread] = 0;
    swapcontext(&fibers[at_thread], &scheduler);
}

// Returns 1 where some threads of a block wait at a barrier and others have ended.
static int launch(void (*kernel)(void**), void** arguments, const unsigned* grid, unsigned threads)
{
    const size_t stack = 32768;
    std::vector<char> stacks(stack * threads);
    body = kernel;
    body_arguments = arguments;
    fibers.resize(threads);
    running.assign(threads, 0);
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {threads, 1, 1};
    for (unsigned z = 0; z < grid[2]; ++z)
        for (unsigned y = 0; y < grid[1]; ++y)
            for (unsigned x = 0; x < grid[0]; ++x) {
                blockIdx = {x, y, z};
                for (unsigned i = 0; i < threads; ++i) {
                    getcontext(&fibers[i]);
                    fibers[i].uc_stack.ss_sp = &stacks[stack * i];
                    fibers[i].uc_stack.ss_size = stack;
                    makecontext(&fibers[i], fiber, 0);
                    running[i] = 1;
                }
                for (unsigned left = threads; left;) {
                    unsigned before = left;
                    for (at_thread = 0; at_thread < threads; ++at_thread) {
                        if (!running[at_thread]) continue;
                        threadIdx = {at_thread, 0, 0};
                        swapcontext(&scheduler, &fibers[at_thread]);
                        left -= !running[at_thread];
                    }
                    if (left && left != before) return 1;
                }
            }
    return 0;
}

// CUDA's words for a C++ compiler: the threads of a block are fibers of one thread, which take turns
// at every barrier; blocks follow each other. Slow, but every line of a kernel runs.
#undef _FORTIFY_SOURCE  // it refuses a longjmp to another stack
#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
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

static const size_t stack_size = 32768;

struct Fiber {
    jmp_buf state;
    std::unique_ptr<char[]> stack{new char[stack_size]};
};

static jmp_buf scheduler;
static std::vector<Fiber> fibers;  // made once, for all launches
static std::vector<char> running;
static unsigned at_thread;
static void (*body)(void**);
static void** body_arguments;

// Jumps take a hundredth of the time of swapcontext, which asks the kernel for the mask of signals
// each time. Neither may be inlined: what a caller has changed would be lost.
__attribute__((noinline)) static void __syncthreads()
{
    if (!_setjmp(fibers[at_thread].state)) _longjmp(scheduler, 1);
}

__attribute__((noinline)) static void resume()
{
    if (!_setjmp(scheduler)) _longjmp(fibers[at_thread].state, 1);
}

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
    for (;;) {
        __syncthreads();
        body(body_arguments);
        running[at_thread] = 0;
    }
}

// A fiber that waits for its first launch.
__attribute__((noinline)) static void begin(Fiber& made)
{
    static ucontext_t start;
    getcontext(&start);
    start.uc_stack.ss_sp = made.stack.get();
    start.uc_stack.ss_size = stack_size;
    makecontext(&start, fiber, 0);
    if (!_setjmp(scheduler)) setcontext(&start);
}

// Returns 1 where some threads of a block wait at a barrier and others have ended.
static int launch(void (*kernel)(void**), void** arguments, const unsigned* grid, unsigned threads)
{
    body = kernel;
    body_arguments = arguments;
    while (fibers.size() < threads) {
        at_thread = fibers.size();
        fibers.emplace_back();
        begin(fibers.back());
    }
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {threads, 1, 1};
    for (unsigned z = 0; z < grid[2]; ++z)
        for (unsigned y = 0; y < grid[1]; ++y)
            for (unsigned x = 0; x < grid[0]; ++x) {
                blockIdx = {x, y, z};
                running.assign(threads, 1);
                for (unsigned left = threads; left;) {
                    unsigned before = left;
                    for (at_thread = 0; at_thread < threads; ++at_thread) {
                        if (!running[at_thread]) continue;
                        threadIdx = {at_thread, 0, 0};
                        resume();
                        left -= !running[at_thread];
                    }
                    if (left && left != before) {
                        fibers.clear();  // they are in the middle of the kernel
                        return 1;
                    }
                }
            }
    return 0;
}

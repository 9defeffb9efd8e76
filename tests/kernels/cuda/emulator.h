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
#define __device__ static inline
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

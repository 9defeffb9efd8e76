// The thread pool that runs parallel loops.
#pragma once

#include <cstddef>
#include <type_traits>

// The number of threads that work on a loop, including the caller.
int threads();
void set_threads(int count);

namespace detail {
using Body = void (*)(void* context, std::ptrdiff_t i);
void run(std::ptrdiff_t count, Body body, void* context);
}  // namespace detail

// Runs body(i) for every i below count, in no fixed order, on all threads. A nested loop runs
// serially in the calling thread. Results must not depend on which thread runs a body.
template <class F>
void parallel(std::ptrdiff_t count, F&& body) {
  using Function = std::remove_reference_t<F>;
  detail::run(
      count, [](void* context, std::ptrdiff_t i) { (*static_cast<Function*>(context))(i); },
      const_cast<void*>(static_cast<const void*>(&body)));
}

// Into how many parts each of `tasks` tasks is split, at least `least` and at most `most` (and two
// for each thread), so that threads idle for less than a tenth of the time.
inline std::ptrdiff_t parts_of(std::ptrdiff_t tasks, std::ptrdiff_t most,
                               std::ptrdiff_t least = 1) {
  const auto idles = [](std::ptrdiff_t all) {
    return 10 * all < 9 * threads() * ((all - 1) / threads() + 1);
  };
  const std::ptrdiff_t bound = 2 * threads() < most ? 2 * threads() : most;
  std::ptrdiff_t parts = least;
  while (parts < bound && idles(tasks * parts)) ++parts;
  return parts;
}

// Names of a thread's scratch buffers; buffers in use at the same time have different names. The
// names are those of convolution; other kernels use any of them.
enum class Scratch {
  kImage,     // a block of an image: copied with its padding, or its pixels as vectors
  kStrips,    // the other operand of the weights, packed or transformed
  kWeights,   // packed or transformed, shared by all threads
  kSums,      // over pieces of a batch
  kTiles,     // results before the epilogue
  kGradient,  // of outputs, packed or transformed
  kPlane,     // of windows over planes; partial sums over channels
  kTotals,    // the totals of kPlane
  kCount,
};

// Scratch of the calling thread: at least `count` floats, aligned to 64 bytes, with 64 more floats
// of padding after them that may be read and written. It is valid until the same buffer is
// requested with a larger size.
float* thread_scratch(Scratch which, std::size_t count);

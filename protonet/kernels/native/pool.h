// Threads that share out a loop.
#pragma once

#include <cstddef>
#include <type_traits>

// How many threads work on a loop, the caller among them.
int threads();
void set_threads(int count);

namespace detail {
using Body = void (*)(void* context, std::ptrdiff_t i);
void run(std::ptrdiff_t count, Body body, void* context);
}  // namespace detail

// body(i) for every i below count, in no fixed order, on all threads. A loop inside a loop runs
// where it is. What the bodies write must not depend on who runs them.
template <class F>
void parallel(std::ptrdiff_t count, F&& body) {
  using Function = std::remove_reference_t<F>;
  detail::run(
      count, [](void* context, std::ptrdiff_t i) { (*static_cast<Function*>(context))(i); },
      const_cast<void*>(static_cast<const void*>(&body)));
}

// Which memory of a thread: what is held at the same time has different names. Each is named by what
// convolutions hold in it; other kernels take any.
enum class Scratch {
  kImage,     // a block of an image: copied with its padding, or its pixels as vectors
  kStrips,    // what weights are multiplied with, packed or transformed
  kWeights,   // packed or transformed, for all threads
  kSums,      // over pieces of a batch
  kTiles,     // results before they are finished
  kGradient,  // of results, packed or transformed
  kPlane,     // of windows over planes; parts of sums over channels
  kTotals,    // of what kPlane holds
  kCount,
};

// Memory of the calling thread, at least `count` floats, aligned to 64 bytes, with 64 more behind
// them that may be read and written. It stays until the same is asked for more.
float* thread_scratch(Scratch which, std::size_t count);

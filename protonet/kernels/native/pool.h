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

// Memory of the calling thread, at least `count` floats, aligned to 64 bytes, with 64 more behind
// them that may be read and written. It stays until the same slot is asked for more.
float* thread_scratch(int slot, std::size_t count);

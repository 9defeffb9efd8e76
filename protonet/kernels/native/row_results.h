// Rows of results over places, from sums in registers.
#pragma once

#include <algorithm>

#include "epilogue.h"
#include "gemm.h"

// Begins to load the lines of `count` values that each of some rows, `stride` values apart, is
// written to, and those that are added to them: processors do not foresee such distances.
inline void fetch_rows(const float* to, Index rows, Index count, Index stride,
                       const Epilogue& epilogue) {
  constexpr Index kLine = 16;  // values of a cache line
  for (Index r = 0; r < rows; ++r, to += stride)
    for (Index i = 0; i < count; i += kLine) {
      __builtin_prefetch(to + i, 1);
      if (epilogue.addend != nullptr) __builtin_prefetch(epilogue.addend + (to - epilogue.results) + i);
    }
}

// Stores the sums of R rows of V vectors, `stride` values apart; with kPart only `count` values of
// each.
template <bool kPart, Index R, Index V>
[[gnu::always_inline]] inline void store_rows(const Vec (&sums)[R][V], Index count, float* y,
                                              Index stride, const Epilogue& epilogue) {
#pragma GCC unroll 16
  for (Index r = 0; r < R; ++r) {
    const Vec factor = splat(epilogue.factor != nullptr ? epilogue.factor[r] : 1.0f);
    const Vec bias = splat(epilogue.bias != nullptr ? epilogue.bias[r] : 0.0f);
#pragma GCC unroll 4
    for (Index v = 0; v < V; ++v) {
      const Index here = kPart ? std::clamp<Index>(count - v * kLanes, 0, kLanes) : kLanes;
      float* to = y + r * stride + v * kLanes;
      const Vec value = epilogue.finish(sums[r][v] * factor + bias, to, here);
      if (kPart)
        store_some(to, value, here);
      else
        store(to, value);
    }
  }
}

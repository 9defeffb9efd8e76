#pragma once

#include <type_traits>

#include "bfloat16.h"

// Applied to sums before they are stored: an optional factor and bias for each row, an optional
// addend of the results, and an optional ReLU. A missing factor is 1, a missing bias 0. Results are
// of type T.
template <class T>
struct EpilogueOf {
  const float* factor = nullptr;
  const float* bias = nullptr;
  bool rectify = false;
  const T* addend = nullptr;   // laid out as the results
  const T* results = nullptr;  // the first of them; needed with an addend
  Index pixel = 0;  // of results over pixels: values from one to the next
  bool streams = false;  // results are whole vectors, stored past the caches

  // The same for rows from this one on.
  EpilogueOf from(Index row) const {
    return {factor == nullptr ? nullptr : factor + row, bias == nullptr ? nullptr : bias + row,
            rectify, addend, results, pixel, streams};
  }

  // The `count` values to be stored at `to`, from sums after factor and bias.
  Vec finish(Vec total, const T* to, Index count) const {
    if (addend != nullptr) {
      const T* other = addend + (to - results);
      total += count == kLanes ? load(other) : load_some(other, count);
    }
    return rectify ? rectified(total) : total;
  }

  // Store them.
  void put(Vec total, T* to, Index count) const {
    const Vec value = finish(total, to, count);
    if constexpr (std::is_same_v<T, float>)
      if (streams) return stream(to, value);
    count == kLanes ? store(to, value) : store_some(to, value, count);
  }

 private:
  // Written this way so that NaN propagates.
  static Vec rectified(Vec x) { return x < Vec{} ? Vec{} : x; }
};

using Epilogue = EpilogueOf<float>;

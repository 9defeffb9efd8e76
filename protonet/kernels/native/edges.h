// Partial vectors at the ends of rows, and strided (de)interleaving of columns.
#pragma once

#include <algorithm>

#include "bfloat16.h"

// Load the first n lanes (all if n exceeds kLanes); the others are 0 or `other`.
template <class T>
inline Vec load_first(const T* p, Index n) {
  return n >= kLanes ? load(p) : load_some(p, n);
}
template <class T>
inline Vec load_first(const T* p, Index n, Vec other) {
  if (n >= kLanes) return load(p);
  return among_first(n) ? load_some(p, n) : other;
}

template <class T>
inline void store_first(T* p, Vec v, Index n) {
  if (n >= kLanes) return store(p, v);
  store_some(p, v, n);
}

// The even and the odd elements of a and b, taken as one row.
#if defined(__AVX512F__)
inline Vec evens(Vec a, Vec b) {
  return __builtin_shuffle(a, b,
                           Mask{0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30});
}
inline Vec odds(Vec a, Vec b) {
  return __builtin_shuffle(a, b,
                           Mask{1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31});
}
#elif defined(__AVX2__)
inline Vec evens(Vec a, Vec b) {
  return __builtin_shuffle(a, b, Mask{0, 2, 4, 6, 8, 10, 12, 14});
}
inline Vec odds(Vec a, Vec b) { return __builtin_shuffle(a, b, Mask{1, 3, 5, 7, 9, 11, 13, 15}); }
#else
inline Vec evens(Vec a, Vec b) { return __builtin_shuffle(a, b, Mask{0, 2, 4, 6}); }
inline Vec odds(Vec a, Vec b) { return __builtin_shuffle(a, b, Mask{1, 3, 5, 7}); }
#endif

// The horizontal sum, by halves.
inline float fold(Vec v) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_ps(reinterpret_cast<__m512>(v));
#else
  float part[kLanes];
  store(part, v);
#pragma GCC unroll 4
  for (Index half = kLanes / 2; half > 0; half /= 2)
#pragma GCC unroll 4
    for (Index i = 0; i < half; ++i) part[i] += part[i + half];
  return part[0];
#endif
}

// Permute: lane i is lane places[i] of v, or of `other` where that is negative.
inline Vec pick(Vec v, Mask places, Vec other = Vec{}) {
#if defined(__AVX512F__)
  const __m512i from = reinterpret_cast<__m512i>(places);
  const __mmask16 inside = _mm512_cmpge_epi32_mask(from, _mm512_setzero_si512());
  return reinterpret_cast<Vec>(_mm512_mask_permutexvar_ps(
      reinterpret_cast<__m512>(other), inside, from, reinterpret_cast<__m512>(v)));
#else
  return places >= Mask{} ? __builtin_shuffle(v, places) : other;
#endif
}

inline Index whole_vectors(Index count) { return (count + kLanes - 1) / kLanes * kLanes; }

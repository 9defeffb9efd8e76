// Vectors at the ends of rows, and rows dealt out by the remainder of their columns.
#pragma once

#include <algorithm>

#include "vec.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

// Whether a lane is among the first n.
inline Mask among_first(Index n) {
  Mask lanes;
  for (Index i = 0; i < kLanes; ++i) lanes[i] = static_cast<std::int32_t>(i);
  return lanes < Mask{} + static_cast<std::int32_t>(std::min(n, kLanes));
}

// The first n lanes (n may be above kLanes, then all) of memory, and `other` in those behind.
inline Vec load_first(const float* p, Index n, Vec other = Vec{}) {
  if (n >= kLanes) return load(p);
#if defined(__AVX512F__)
  const __mmask16 lanes = static_cast<__mmask16>((1u << n) - 1);
  return reinterpret_cast<Vec>(_mm512_mask_loadu_ps(reinterpret_cast<__m512>(other), lanes, p));
#elif defined(__AVX2__)
  const Mask lanes = among_first(n);
  const Vec found =
      reinterpret_cast<Vec>(_mm256_maskload_ps(p, reinterpret_cast<__m256i>(lanes)));
  return lanes ? found : other;
#else
  for (Index i = 0; i < n; ++i) other[i] = p[i];
  return other;
#endif
}

inline void store_first(float* p, Vec v, Index n) {
  if (n >= kLanes) return store(p, v);
#if defined(__AVX512F__)
  const __mmask16 lanes = static_cast<__mmask16>((1u << n) - 1);
  _mm512_mask_storeu_ps(p, lanes, reinterpret_cast<__m512>(v));
#elif defined(__AVX2__)
  _mm256_maskstore_ps(p, reinterpret_cast<__m256i>(among_first(n)), reinterpret_cast<__m256>(v));
#else
  for (Index i = 0; i < n; ++i) p[i] = v[i];
#endif
}

// Of a and b as one row: what is at even, and what is at odd places.
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

// The sum of all lanes, by halves.
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

// Lane i is lane places[i] of v, or of `other` where that is below 0.
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

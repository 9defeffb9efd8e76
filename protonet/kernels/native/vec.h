// A vector of floats of the native width, and its basic operations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

using Index = std::ptrdiff_t;

#if defined(__AVX512F__)
constexpr Index kLanes = 16;
#elif defined(__AVX2__)
constexpr Index kLanes = 8;
#else
constexpr Index kLanes = 4;
#endif

// Bytes of the L2 cache of a core: of most processors that have no AVX-512 it is half as large.
constexpr Index kL2Cache = kLanes == 16 ? 1 << 20 : 1 << 19;

typedef float Vec __attribute__((vector_size(4 * kLanes)));
typedef std::int32_t Mask __attribute__((vector_size(4 * kLanes)));  // all ones where true
typedef float LooseVec __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));
typedef std::int32_t LooseMask __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

inline Vec load(const float* p) { return *reinterpret_cast<const LooseVec*>(p); }
inline void store(float* p, Vec v) { *reinterpret_cast<LooseVec*>(p) = v; }
// x - 0 is x for every x, -0 included, so that the compiler emits a plain broadcast.
inline Vec splat(float x) { return x - Vec{}; }

// Store past the caches to an aligned address: of lines that are wholly overwritten, and not read
// before others have driven them out. Other threads see it after `end_streams`.
inline void stream(float* p, Vec v) {
#if defined(__AVX512F__)
  _mm512_stream_ps(p, reinterpret_cast<__m512>(v));
#elif defined(__AVX2__)
  _mm256_stream_ps(p, reinterpret_cast<__m256>(v));
#else
  store(p, v);
#endif
}
inline void end_streams() {
#if defined(__AVX2__)
  _mm_sfence();
#endif
}

// Lane mask: whether a lane is among the first n.
inline Mask among_first(Index n) {
  Mask lanes;
  for (Index i = 0; i < kLanes; ++i) lanes[i] = static_cast<std::int32_t>(i);
  return lanes < Mask{} + static_cast<std::int32_t>(n);
}

// Loads and stores of the first n lanes, all where n is not less than kLanes: the others are 0, and
// no memory beyond is accessed.
#if defined(__AVX512F__)
inline __mmask16 first_lanes(Index n) {
  return static_cast<__mmask16>(n >= kLanes ? 0xffff : (1u << n) - 1);
}
inline Vec load_some(const float* p, Index n) {
  return reinterpret_cast<Vec>(_mm512_maskz_loadu_ps(first_lanes(n), p));
}
inline void store_some(float* p, Vec v, Index n) {
  _mm512_mask_storeu_ps(p, first_lanes(n), reinterpret_cast<__m512>(v));
}
#elif defined(__AVX2__)
// Masks of AVX2 are slow on an AMD EPYC (Zen 1): a load or a store under one takes as long as ten
// loads or four stores of whole vectors.
inline Vec load_some(const float* p, Index n) {
  if (n >= kLanes) return load(p);
  if (n <= 0) return Vec{};
  const __m128 none = _mm_setzero_ps(), first = n & 4 ? _mm_loadu_ps(p) : none;
  p += n & 4;
  const __m128 pair = n & 2 ? _mm_loadl_pi(none, reinterpret_cast<const __m64*>(p)) : none;
  p += n & 2;
  const __m128 one = n & 1 ? _mm_load_ss(p) : none;
  const __m128 rest = n & 2 ? _mm_movelh_ps(pair, one) : one;
  return reinterpret_cast<Vec>(n & 4 ? _mm256_set_m128(rest, first) : _mm256_set_m128(none, rest));
}
inline void store_some(float* p, Vec v, Index n) {
  if (n >= kLanes) return store(p, v);
  if (n <= 0) return;
  const __m256 lanes = reinterpret_cast<__m256>(v);
  __m128 rest = _mm256_castps256_ps128(lanes);
  if (n & 4) {
    _mm_storeu_ps(p, rest);
    rest = _mm256_extractf128_ps(lanes, 1);
    p += 4;
  }
  if (n & 2) {
    _mm_storel_pi(reinterpret_cast<__m64*>(p), rest);
    rest = _mm_movehl_ps(rest, rest);
    p += 2;
  }
  if (n & 1) _mm_store_ss(p, rest);
}
#else
inline Vec load_some(const float* p, Index n) {
  Vec v{};
  for (Index i = 0; i < n && i < kLanes; ++i) v[i] = p[i];
  return v;
}
inline void store_some(float* p, Vec v, Index n) {
  for (Index i = 0; i < n && i < kLanes; ++i) p[i] = v[i];
}
#endif

// If either operand is NaN these return b, since the comparison fails.
#if defined(__AVX512F__)
inline Vec max(Vec a, Vec b) { return (Vec)_mm512_max_ps((__m512)a, (__m512)b); }
inline Vec min(Vec a, Vec b) { return (Vec)_mm512_min_ps((__m512)a, (__m512)b); }
#elif defined(__AVX2__)
inline Vec max(Vec a, Vec b) { return (Vec)_mm256_max_ps((__m256)a, (__m256)b); }
inline Vec min(Vec a, Vec b) { return (Vec)_mm256_min_ps((__m256)a, (__m256)b); }
#else
inline Vec max(Vec a, Vec b) { return a > b ? a : b; }
inline Vec min(Vec a, Vec b) { return a < b ? a : b; }
#endif

// Loads and stores of the first n lanes, many of the same n.
#if defined(__AVX512F__)
struct FirstLanes {
  explicit FirstLanes(Index n) : some(first_lanes(n)), count(n) {}
  Vec load(const float* p) const { return (Vec)_mm512_maskz_loadu_ps(some, p); }
  void store(float* p, Vec v) const {
    count >= kLanes ? ::store(p, v) : _mm512_mask_storeu_ps(p, some, (__m512)v);
  }

  __mmask16 some;
  Index count;
};
#elif defined(__AVX2__)
struct FirstLanes {
  explicit FirstLanes(Index n) : count(n) {}
  Vec load(const float* p) const { return load_some(p, count); }
  void store(float* p, Vec v) const { store_some(p, v, count); }

  Index count;
};
#endif

inline float sum(Vec v) {
  float total = 0;
  for (Index i = 0; i < kLanes; ++i) total += v[i];
  return total;
}

// Interleave a and b: low gives a0 b0 a1 b1 ..., high continues with the upper halves.
#if defined(__AVX512F__)
inline Vec interleave_low(Vec a, Vec b) {
  return __builtin_shuffle(a, b, Mask{0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23});
}
inline Vec interleave_high(Vec a, Vec b) {
  return __builtin_shuffle(a, b, Mask{8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31});
}
#elif defined(__AVX2__)
inline Vec interleave_low(Vec a, Vec b) {
  return __builtin_shuffle(a, b, Mask{0, 8, 1, 9, 2, 10, 3, 11});
}
inline Vec interleave_high(Vec a, Vec b) {
  return __builtin_shuffle(a, b, Mask{4, 12, 5, 13, 6, 14, 7, 15});
}
#else
inline Vec interleave_low(Vec a, Vec b) { return __builtin_shuffle(a, b, Mask{0, 4, 1, 5}); }
inline Vec interleave_high(Vec a, Vec b) { return __builtin_shuffle(a, b, Mask{2, 6, 3, 7}); }
#endif

// Transpose a square of kLanes vectors by log2(kLanes) perfect shuffles.
inline void transpose(Vec (&v)[kLanes]) {
  Vec w[kLanes];
  for (Index round = 1; round < kLanes; round *= 2) {
    for (Index i = 0; i < kLanes / 2; ++i) {
      w[2 * i] = interleave_low(v[i], v[i + kLanes / 2]);
      w[2 * i + 1] = interleave_high(v[i], v[i + kLanes / 2]);
    }
    for (Index i = 0; i < kLanes; ++i) v[i] = w[i];
  }
}

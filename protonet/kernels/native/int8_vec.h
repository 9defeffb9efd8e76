// Vectors of integers of the native width, as vec.h has them of floats: of 8, 16 or 32 bits.
#pragma once

#include "vec.h"

#if defined(__AVX2__)

// The intrinsic of an operation on vectors of the native width.
#if defined(__AVX512F__)
using Ints = __m512i;
#define NATIVE(operation) _mm512_##operation
#else
using Ints = __m256i;
#define NATIVE(operation) _mm256_##operation
#endif

constexpr Index kBytes = 4 * kLanes;  // of a vector

inline Ints load_ints(const void* p) {
  Ints v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline void store_ints(void* p, Ints v) { std::memcpy(p, &v, sizeof v); }

// Rounded to even; NaN and what 32 bits do not hold become the least.
inline Ints rounded(Vec x) { return NATIVE(cvtps_epi32)(x); }
inline Vec to_floats(Ints x) { return NATIVE(cvtepi32_ps)(x); }

// The first n of 16 bytes, all where n is not less.
inline void store_first(void* p, __m128i bytes, Index n) {
  if (n >= 16) return _mm_storeu_si128(static_cast<__m128i*>(p), bytes);
#if defined(__AVX512F__)
  _mm_mask_storeu_epi8(p, static_cast<__mmask16>((1u << n) - 1), bytes);
#else
  auto* to = static_cast<std::uint8_t*>(p);
  const auto put = [&](auto part) {
    std::memcpy(to, &part, sizeof part);
    to += sizeof part;
  };
  if (n & 8) {
    put(_mm_cvtsi128_si64(bytes));
    bytes = _mm_srli_si128(bytes, 8);
  }
  if (n & 4) {
    put(_mm_cvtsi128_si32(bytes));
    bytes = _mm_srli_si128(bytes, 4);
  }
  if (n & 2) {
    put(static_cast<std::int16_t>(_mm_extract_epi16(bytes, 0)));
    bytes = _mm_srli_si128(bytes, 2);
  }
  if (n & 1) put(static_cast<std::int8_t>(_mm_extract_epi8(bytes, 0)));
#endif
}

// The first n of 32 bytes.
inline void store_first(void* p, __m256i bytes, Index n) {
  if (n >= 32) return _mm256_storeu_si256(static_cast<__m256i*>(p), bytes);
#if defined(__AVX512F__)
  _mm256_mask_storeu_epi8(p, static_cast<__mmask32>((1u << n) - 1), bytes);
#else
  store_first(p, _mm256_castsi256_si128(bytes), n);
  if (n > 16)
    store_first(static_cast<std::uint8_t*>(p) + 16, _mm256_extracti128_si256(bytes, 1), n - 16);
#endif
}

// The first n bytes of a vector, all where n is not less, for loads and stores: the others are 0,
// and no memory beyond is accessed. Loads are of a multiple of 4.
struct FirstBytes {
#if defined(__AVX512F__)
  explicit FirstBytes(Index n) : lanes(n >= 64 ? ~0ull : (1ull << n) - 1) {}
  Ints load(const void* p) const { return _mm512_maskz_loadu_epi8(lanes, p); }
  void store(void* p, Ints v) const { _mm512_mask_storeu_epi8(p, lanes, v); }
  bool all() const { return lanes == ~__mmask64{0}; }

  __mmask64 lanes;
#else
  explicit FirstBytes(Index n) : count(n) {}
  Ints load(const void* p) const {
    return reinterpret_cast<Ints>(load_some(static_cast<const float*>(p), count / 4));
  }
  void store(void* p, Ints v) const { store_first(p, v, count); }
  bool all() const { return count >= kBytes; }

  Index count;
#endif
};

// The first n of as many bytes as there are lanes, each as 32 bits; n is a multiple of 4.
inline Ints widened(const void* p, Index n) {
#if defined(__AVX512F__)
  return _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(first_lanes(n), p));
#else
  return _mm256_cvtepu8_epi32(n >= kLanes ? _mm_loadl_epi64(static_cast<const __m128i*>(p))
                                          : _mm_loadu_si32(p));
#endif
}

// The bytes of the first n lanes, each of which is from 0 to 255.
inline void store_narrowed(void* p, Ints v, Index n) {
#if defined(__AVX512F__)
  _mm_mask_storeu_epi8(p, first_lanes(n), _mm512_cvtepi32_epi8(v));
#else
  const __m128i words =
      _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  store_first(p, _mm_packus_epi16(words, words), n >= kLanes ? kLanes : n);
#endif
}

#endif

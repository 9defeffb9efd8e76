// Planes and pixels: the channels of a place far apart, or adjacent.
#pragma once

#include <algorithm>
#include <array>

#include "pairs.h"
#include "vec.h"

#if defined(__AVX512F__)

// Up to 16 values as words: in the lower halves, bfloat16.
WITH_BF16 inline __m512i words_at(const float* p, __mmask16 lanes) {
  return _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(lanes, p)));
}
WITH_BF16 inline __m512i words_at(const Bf16* p, __mmask16 lanes) {
  return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, p));
}

inline void put_words(float* p, __mmask16 lanes, __m512i words) {
  _mm512_mask_storeu_epi32(p, lanes, _mm512_slli_epi32(words, 16));
}
inline void put_words(Bf16* p, __mmask16 lanes, __m512i words) {
  _mm512_mask_cvtepi32_storeu_epi16(p, lanes, words);
}

inline void transpose_pairs(__m512i (&v)[16]) {
  Vec w[16];
  for (Index i = 0; i < 16; ++i) w[i] = reinterpret_cast<Vec>(v[i]);
  transpose(w);
  for (Index i = 0; i < 16; ++i) v[i] = reinterpret_cast<__m512i>(w[i]);
}

// `count` places of planes as pixels of `pixel` values; those behind the channels are 0.
template <class T>
WITH_BF16 void planes_to_pixels(const T* x, Index plane, Index channels, Index count, Bf16* to,
                                Index pixel) {
  for (Index p = 0; p < count; p += 16) {
    const Index here = std::min<Index>(16, count - p);
    const __mmask16 lanes = first_lanes(here);
    for (Index c = 0; c < pixel; c += 32) {
      const Index values = std::min<Index>(32, pixel - c);
      __m512i pairs[16];
      for (Index i = 0; i < (pixel <= 4 ? 2 : 16); ++i) {
        const Index channel = c + 2 * i;
        pairs[i] = _mm512_setzero_si512();
        if (channel < channels) pairs[i] = words_at(x + channel * plane + p, lanes);
        if (channel + 1 < channels)
          pairs[i] = _mm512_or_epi32(
              pairs[i], _mm512_slli_epi32(words_at(x + (channel + 1) * plane + p, lanes), 16));
      }
      if (pixel == 2) {
        _mm512_mask_storeu_epi32(to + p * pixel, lanes, pairs[0]);
      } else if (pixel == 4) {
        // Pairs of pairs: places 0 to 7, then 8 to 15.
        const auto low = interleave_low(reinterpret_cast<Vec>(pairs[0]), reinterpret_cast<Vec>(pairs[1]));
        const auto high = interleave_high(reinterpret_cast<Vec>(pairs[0]), reinterpret_cast<Vec>(pairs[1]));
        _mm512_mask_storeu_epi32(to + p * pixel, first_lanes(2 * here), reinterpret_cast<__m512i>(low));
        if (here > 8)
          _mm512_mask_storeu_epi32(to + (p + 8) * pixel, first_lanes(2 * here - 16),
                                   reinterpret_cast<__m512i>(high));
      } else {
        transpose_pairs(pairs);
        const auto some = static_cast<__mmask32>((std::uint64_t{1} << values) - 1);
        for (Index r = 0; r < here; ++r)
          _mm512_mask_storeu_epi16(to + (p + r) * pixel + c, some, pairs[r]);
      }
    }
  }
}

// And back.
template <class T>
void pixels_to_planes(const Bf16* x, Index channels, Index count, T* to, Index plane) {
  const __m512i lower = _mm512_set1_epi32(0xffff);
  for (Index p = 0; p < count; p += 16) {
    const Index here = std::min<Index>(16, count - p);
    const __mmask16 lanes = first_lanes(here);
    for (Index c = 0; c < channels; c += 32) {
      const Index values = std::min<Index>(32, channels - c);
      const auto some = static_cast<__mmask32>((std::uint64_t{1} << values) - 1);
      __m512i pairs[16];
      for (Index r = 0; r < 16; ++r)
        pairs[r] = r < here ? _mm512_maskz_loadu_epi16(some, x + (p + r) * channels + c)
                            : _mm512_setzero_si512();
      transpose_pairs(pairs);
      for (Index i = 0; i < (values + 1) / 2; ++i) {
        T* from = to + (c + 2 * i) * plane + p;
        put_words(from, lanes, _mm512_and_epi32(pairs[i], lower));
        if (2 * i + 1 < values)
          put_words(from + plane, lanes, _mm512_srli_epi32(pairs[i], 16));
      }
    }
  }
}

#endif

#if defined(__AVX2__)

// Up to kLanes pixels of at most 4 values, from vectors of each of their values.
inline void put_small_pixels(const std::array<Vec, 4>& v, Index count, Index pixel, float* to) {
  constexpr Index kPixels = kLanes / 4;  // of a vector
  const Vec even[2] = {interleave_low(v[0], v[2]), interleave_high(v[0], v[2])};
  const Vec odd[2] = {interleave_low(v[1], v[3]), interleave_high(v[1], v[3])};
  for (Index i = 0; kPixels * i < count; ++i, to += kPixels * pixel) {
    const Vec some = i % 2 == 0 ? interleave_low(even[i / 2], odd[i / 2])
                                : interleave_high(even[i / 2], odd[i / 2]);
    const Index here = std::min(kPixels, count - kPixels * i);
#if defined(__AVX512F__)
    const auto values = static_cast<__mmask16>(0x1111 * ((1 << pixel) - 1));
    const __m512 dense = _mm512_maskz_compress_ps(values, reinterpret_cast<__m512>(some));
    _mm512_mask_storeu_ps(to, first_lanes(here * pixel), dense);
#else
    // Four values are stored for a pixel that has a next one, which replaces those that are its own.
    const __m256 lanes = reinterpret_cast<__m256>(some);
    const __m128 four[kPixels] = {_mm256_castps256_ps128(lanes), _mm256_extractf128_ps(lanes, 1)};
    for (Index p = 0; p < here; ++p)
      if (kPixels * i + p + 1 < count) _mm_storeu_ps(to + p * pixel, four[p]);
      else store_some(to + p * pixel, (Vec)_mm256_castps128_ps256(four[p]), pixel);
#endif
  }
}

// The same for pixels of float32.
inline void planes_to_pixels(const float* x, Index plane, Index channels, Index count, float* to,
                             Index pixel) {
  for (Index p = 0; p < count; p += kLanes) {
    const FirstLanes lanes(count - p);
    const auto plane_of = [&](Index c) {
      return c < channels ? lanes.load(x + c * plane + p) : Vec{};
    };
    const Index here = std::min(kLanes, count - p);
    if (pixel <= 4) {
      put_small_pixels({plane_of(0), plane_of(1), plane_of(2), plane_of(3)}, here, pixel,
                       to + p * pixel);
      continue;
    }
    for (Index c = 0; c < pixel; c += kLanes) {
      Vec v[kLanes];
      for (Index i = 0; i < kLanes; ++i) v[i] = plane_of(c + i);
      transpose(v);
      const FirstLanes some(pixel - c);
      for (Index r = 0; r < here; ++r) some.store(to + (p + r) * pixel + c, v[r]);
    }
  }
}

inline void pixels_to_planes(const float* x, Index channels, Index count, float* to, Index plane) {
  for (Index p = 0; p < count; p += kLanes) {
    const Index here = std::min(kLanes, count - p);
    const FirstLanes lanes(here);
    for (Index c = 0; c < channels; c += kLanes) {
      const Index values = std::min(kLanes, channels - c);
      const FirstLanes some(values);
      Vec v[kLanes];
      for (Index r = 0; r < kLanes; ++r)
        v[r] = r < here ? some.load(x + (p + r) * channels + c) : Vec{};
      transpose(v);
      for (Index i = 0; i < values; ++i) lanes.store(to + (c + i) * plane + p, v[i]);
    }
  }
}

#endif

// Floats as bytes: code = x / scale + zero, rounded to even and kept within 0 to 255.
#pragma once

#include <cstdint>

#include "int8_layout.h"
#include "vec.h"

#if defined(__AVX512F__)

struct Coding {
  float inverse;  // of the scale
  int zero;
};

// Codes of 16 values in words of 32 bits. NaN becomes 0.
struct Encoder {
  explicit Encoder(const Coding& c)
      : inverse(_mm512_set1_ps(c.inverse)),
        low(_mm512_set1_ps(static_cast<float>(-c.zero))),
        high(_mm512_set1_ps(static_cast<float>(255 - c.zero))),
        zero(_mm512_set1_epi32(c.zero)) {}

  __m512i operator()(__m512 x) const {
    const __m512 scaled = _mm512_mul_ps(x, inverse);
    const __m512 bounded = _mm512_min_ps(_mm512_max_ps(scaled, low), high);
    return _mm512_add_epi32(_mm512_cvtps_epi32(bounded), zero);
  }

  __m512 inverse, low, high;
  __m512i zero;
};

// Codes of 64 values, in vectors as instructions pack them: the first has values 0 to 3 of each
// sixteen, the second 4 to 7, and so on. Packing saturates, so that no lower bound is needed; NaN
// becomes 0. With `rectify`, values below 0 have the code of 0.
struct Packer {
  Packer(const Coding& c, bool rectify)
      : inverse(_mm512_set1_ps(c.inverse)),
        high(_mm512_set1_ps(static_cast<float>(255 - c.zero))),
        zero(_mm512_set1_epi16(static_cast<short>(c.zero))),
        least(rectify ? _mm512_set1_epi8(static_cast<char>(c.zero)) : _mm512_setzero_si512()) {}

  __m512i operator()(__m512 a, __m512 b, __m512 c, __m512 d) const {
    const __m512i near = _mm512_adds_epi16(_mm512_packs_epi32(words(a), words(b)), zero);
    const __m512i far = _mm512_adds_epi16(_mm512_packs_epi32(words(c), words(d)), zero);
    return _mm512_max_epu8(_mm512_packus_epi16(near, far), least);
  }

  __m512i words(__m512 x) const {
    return _mm512_cvtps_epi32(_mm512_min_ps(high, _mm512_mul_ps(x, inverse)));
  }

  __m512 inverse, high;
  __m512i zero, least;
};

inline void transpose_words(__m512i (&v)[16]) {
  Vec w[16];
  for (Index i = 0; i < 16; ++i) w[i] = reinterpret_cast<Vec>(v[i]);
  transpose(w);
  for (Index i = 0; i < 16; ++i) v[i] = reinterpret_cast<__m512i>(w[i]);
}

inline __mmask64 first_bytes(Index n) { return n >= 64 ? ~0ull : (1ull << n) - 1; }

// The codes of `count` pixels of planes `plane` floats apart, as pixels of bytes.
inline void encode_pixels(const float* x, Index plane, Index channels, Index count,
                          const Encoder& encode, Byte* to, Index pixel) {
  for (Index p = 0; p < count; p += 16) {
    const Index here = std::min<Index>(16, count - p);
    const __mmask16 lanes = first_lanes(here);
    for (Index c = 0; c < channels; c += 64) {
      const Index quads = std::min<Index>(16, (channels - c + 3) / 4);
      __m512i words[16];
      for (Index q = 0; q < quads; ++q) {
        const float* from = x + (c + 4 * q) * plane + p;
        const Index some = std::min<Index>(4, channels - c - 4 * q);
        __m512i word = encode(_mm512_maskz_loadu_ps(lanes, from));
        for (Index i = 1; i < some; ++i)
          word = _mm512_or_epi32(
              word, _mm512_slli_epi32(encode(_mm512_maskz_loadu_ps(lanes, from + i * plane)),
                                      static_cast<unsigned>(8 * i)));
        words[q] = word;
      }
      if (pixel == 4) {
        _mm512_mask_storeu_epi32(to + p * pixel, lanes, words[0]);
        continue;
      }
      for (Index q = quads; q < 16; ++q) words[q] = _mm512_setzero_si512();
      transpose_words(words);
      for (Index r = 0; r < here; ++r)
        _mm512_mask_storeu_epi32(to + (p + r) * pixel + c, first_lanes(quads), words[r]);
    }
  }
}

// The codes of `count` adjacent values.
inline void encode_values(const float* x, Index count, const Encoder& encode, Byte* to) {
  for (Index i = 0; i < count; i += 16) {
    const __mmask16 lanes = first_lanes(count - i);
    _mm512_mask_cvtusepi32_storeu_epi8(to + i, lanes,
                                       encode(_mm512_maskz_loadu_ps(lanes, x + i)));
  }
}

#endif

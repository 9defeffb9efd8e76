// From sums of integers to values: floats, or bytes for the next layer.
#pragma once

#include <vector>

#include "int8_coding.h"
#include "int8_products.h"

#if defined(__AVX512F__)

// Which of 16 windows are of the image, and the place of the first of them.
struct Sixteen {
  __mmask16 valid;
  Index first;
};

inline std::vector<Sixteen> valid_windows(const Int8Layout& layout, Tap out) {
  std::vector<Sixteen> found;
  const Index columns = layout.collapsed ? 1 : out.x;
  for (Index p = 0; p < layout.places; p += 16) {
    Sixteen here{0, 0};
    for (Index i = 15; i >= 0; --i) {
      if (p + i >= layout.places || (p + i) % layout.row >= columns) continue;
      here.valid |= static_cast<__mmask16>(1u << i);
      here.first = (p + i) / layout.row * columns + (p + i) % layout.row;
    }
    found.push_back(here);
  }
  return found;
}

// y = factor (sum - offset) + shift, for each output; arrays have whole vectors.
struct Int8Epilogue {
  const std::int32_t* offset;
  const float *factor, *shift;
  bool rectify;

  __m512 operator()(__m512i sum, Index output) const {
    const __m512i exact = _mm512_sub_epi32(sum, _mm512_loadu_si512(offset + output));
    const __m512 scaled =
        _mm512_mul_ps(_mm512_cvtepi32_ps(exact), _mm512_loadu_ps(factor + output));
    const __m512 y = _mm512_add_ps(scaled, _mm512_loadu_ps(shift + output));
    return rectify ? _mm512_max_ps(y, _mm512_setzero_ps()) : y;
  }
};

// A result of up to 32 windows and 32 outputs, the first of which is `output` of `outputs`.
struct Int8Block {
  const Sums& sums;
  const Sixteen* windows;
  Index vectors;  // of windows
  Index output, outputs;

  template <class F>
  void each(F&& put) const {
    for (Index v = 0; v < vectors; ++v) {
      Index place = windows[v].first;
      for (unsigned left = windows[v].valid; left != 0; left &= left - 1, ++place) {
        const std::int32_t* row = sums[16 * v + __builtin_ctz(left)];
        for (Index o = 0; o < 32 && output + o < outputs; o += 16)
          put(place, output + o, _mm512_loadu_si512(row + o));
      }
    }
  }

  // Pixels of bytes; `fills` the bytes behind the last output.
  void encode(const Int8Epilogue& finish, const Encoder& encode, Byte* y, Index pixel,
              bool fills) const {
    const Index end = fills ? pixel : outputs;
    each([&](Index place, Index o, __m512i sum) {
      const __m128i codes = _mm512_cvtepi32_epi8(encode(finish(sum, o)));
      _mm_mask_storeu_epi8(y + place * pixel + o, first_lanes(end - o), codes);
    });
  }

  // Rows of floats, one for each place.
  void rows(const Int8Epilogue& finish, float* y, Index row) const {
    each([&](Index place, Index o, __m512i sum) {
      _mm512_mask_storeu_ps(y + place * row + o, first_lanes(outputs - o), finish(sum, o));
    });
  }

  // Planes of floats.
  void planes(const Int8Epilogue& finish, float* y, Index plane) const {
    for (Index v = 0; v < vectors; ++v)
      for (Index o = 0; o < 32 && output + o < outputs; o += 16) {
        Vec tile[16];
        for (Index r = 0; r < 16; ++r)
          tile[r] = finish(_mm512_loadu_si512(&sums[16 * v + r][o]), output + o);
        transpose(tile);
        const __mmask16 valid = windows[v].valid;
        const __mmask16 lanes = first_lanes(__builtin_popcount(valid));
        float* to = y + (output + o) * plane + windows[v].first;
        for (Index r = 0; r < std::min<Index>(16, outputs - output - o); ++r)
          _mm512_mask_storeu_ps(to + r * plane, lanes, _mm512_maskz_compress_ps(valid, tile[r]));
      }
  }
};

// Makes codes of sums while these are in registers.
struct StoreCodes {
  const Int8Epilogue& finish;
  const Packer& pack;
  const Sixteen* windows;
  Byte* to;  // of the first output, in the first pixel of the image
  Index pixel, output, bytes;  // bytes of a pixel that are written

  __m512i start(Index n) const {
    return _mm512_sub_epi32(_mm512_setzero_si512(),
                            _mm512_loadu_si512(finish.offset + output + 16 * n));
  }

  template <Index R, Index N>
  void operator()(Index first, const __m512i (&totals)[R][N]) const {
    constexpr Index kWindows = 4 / N;  // of a vector of codes
    // from 4 outputs of each vector in turn to those of one window behind the other
    const __m512i order =
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const unsigned valid = windows[first / 16].valid;
    const unsigned before = valid & ((1u << first % 16) - 1);
    Byte* at = to + (windows[first / 16].first + __builtin_popcount(before)) * pixel + output;
#pragma GCC unroll 8
    for (Index r = 0; r < R; r += kWindows) {
      __m512 values[4];
#pragma GCC unroll 4
      for (Index i = 0; i < 4; ++i)
        values[i] = value(totals[std::min(R - 1, r + i / N)][i % N], i % N);
      const __m512i packed = pack(values[0], values[1], values[2], values[3]);
      const __m512i codes = _mm512_permutexvar_epi32(order, packed);
      const unsigned there = valid >> (first % 16 + r);
      if constexpr (N == 2) {
        put(_mm512_castsi512_si256(codes), there & 1, at);
        if constexpr (R > 1) put(_mm512_extracti64x4_epi64(codes, 1), there >> 1 & 1, at);
      } else {
        put(_mm512_castsi512_si128(codes), there & 1, at);
        if constexpr (R > 1) put(_mm512_extracti32x4_epi32(codes, 1), there >> 1 & 1, at);
        if constexpr (R > 2) put(_mm512_extracti32x4_epi32(codes, 2), there >> 2 & 1, at);
        if constexpr (R > 2) put(_mm512_extracti32x4_epi32(codes, 3), there >> 3 & 1, at);
      }
    }
  }

 private:
  __m512 value(__m512i exact, Index n) const {
    const __m512 scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(exact),
                                        _mm512_loadu_ps(finish.factor + output + 16 * n));
    return _mm512_add_ps(scaled, _mm512_loadu_ps(finish.shift + output + 16 * n));
  }

  // The codes of a window, if it is one of the image.
  void put(__m256i codes, bool valid, Byte*& at) const {
    if (!valid) return;
    if (bytes >= 32) _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), codes);
    else _mm256_mask_storeu_epi8(at, static_cast<__mmask32>(first_bytes(bytes)), codes);
    at += pixel;
  }

  void put(__m128i codes, bool valid, Byte*& at) const {
    if (!valid) return;
    if (bytes >= 16) _mm_storeu_si128(reinterpret_cast<__m128i*>(at), codes);
    else _mm_mask_storeu_epi8(at, static_cast<__mmask16>(first_bytes(bytes)), codes);
    at += pixel;
  }
};

#endif

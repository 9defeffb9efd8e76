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

#endif

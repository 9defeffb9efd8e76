// From sums to pixels of bfloat16.
#pragma once

#include "epilogue.h"
#include "pixel_products.h"

#if defined(__AVX512F__)

#include <limits>

constexpr Index kPixelRows = 2 * kPairSide;  // windows of a block

// Rows of windows of one image, whole images, or, where windows are single pixels, places.
struct PixelBand {
  Index image, images, row, rows, place, places;
};

// Up to 32 windows: where the first begins, how many are computed, and which are stored: those of
// [skip, end) that begin in the first `columns` of each `row`. The first is `column` of its row,
// which begins at place `out` of the result.
struct PixelWindows {
  Index at, count, skip, end, out, column, row, columns;
};

// Up to 32 adjacent outputs.
class PixelResults {
 public:
  PixelResults(const Epilogue& epilogue, Index output, Index count)
      : output_(output), lanes_(static_cast<__mmask32>((std::uint64_t{1} << count) - 1)),
        rectify_(epilogue.rectify) {
    for (Index v = 0; v < 2; ++v) {
      const auto some = static_cast<__mmask16>(lanes_ >> (16 * v));
      factor_[v] = epilogue.factor == nullptr
                       ? _mm512_set1_ps(1.0f)
                       : _mm512_maskz_loadu_ps(some, epilogue.factor + output + 16 * v);
      bias_[v] = epilogue.bias == nullptr
                     ? _mm512_setzero_ps()
                     : _mm512_maskz_loadu_ps(some, epilogue.bias + output + 16 * v);
    }
  }

  // Writes pixels of `pixel` values; the addend has the same.
  WITH_BF16 void put(const PixelSums& sums, const PixelWindows& w, const Bf16* addend, Bf16* y,
                     Index pixel) const {
    const __m512 least =
        _mm512_set1_ps(rectify_ ? 0.0f : -std::numeric_limits<float>::infinity());
    Index column = w.column, out = w.out * pixel + output_;
    for (Index r = 0; r < w.end; ++r, ++column) {
      if (column == w.row) {
        column = 0;
        out += w.columns * pixel;
      }
      if (column >= w.columns || r < w.skip) continue;
      const Index at = out + column * pixel;
      __m512 low = _mm512_fmadd_ps(_mm512_loadu_ps(sums[r]), factor_[0], bias_[0]);
      __m512 high = _mm512_fmadd_ps(_mm512_loadu_ps(sums[r] + 16), factor_[1], bias_[1]);
      if (addend != nullptr) {
        const __m512i more = _mm512_maskz_loadu_epi16(lanes_, addend + at);
        low = _mm512_add_ps(low, floats(_mm512_castsi512_si256(more)));
        high = _mm512_add_ps(high, floats(_mm512_extracti64x4_epi64(more, 1)));
      }
      // The second operand is the result where one is NaN.
      const auto both = _mm512_cvtne2ps_pbh(_mm512_max_ps(least, high), _mm512_max_ps(least, low));
      _mm512_mask_storeu_epi16(y + at, lanes_, (__m512i)both);
    }
  }

 private:
  static __m512 floats(__m256i values) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(values), 16));
  }

  Index output_;
  __mmask32 lanes_;
  bool rectify_;
  __m512 factor_[2], bias_[2];
};

#endif

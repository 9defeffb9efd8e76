// From sums of integers to values: floats, or bytes for the next layer.
#pragma once

#include <vector>

#include "int8_coding.h"
#include "int8_products.h"

#if defined(__AVX2__)

// The place of each window's result in its plane, and -1 of windows that begin in the padding.
inline std::vector<std::int32_t> places_of_windows(const Int8Layout& layout, Tap out) {
  std::vector<std::int32_t> found(round_up(layout.places, kSide), -1);
  const Index columns = layout.collapsed ? 1 : out.x;
  for (Index p = 0; p < layout.places; ++p)
    if (p % layout.row < columns)
      found[p] = static_cast<std::int32_t>(p / layout.row * columns + p % layout.row);
  return found;
}

// y = factor (sum - offset) + shift, for each output; arrays have whole vectors.
struct Int8Epilogue {
  const std::int32_t* offset;
  const float *factor, *shift;
  bool rectify;

  Vec operator()(Ints sum, Index output) const {
    const Vec y = scaled(NATIVE(sub_epi32)(sum, load_ints(offset + output)), output);
    return rectify ? max(y, Vec{}) : y;
  }

  // Of a sum less its offset.
  Vec scaled(Ints exact, Index output) const {
    return to_floats(exact) * load(factor + output) + load(shift + output);
  }
};

// A result of some windows and up to 32 outputs, the first of which is `output` of `outputs`.
struct Int8Block {
  const Sums& sums;
  const std::int32_t* places;  // of windows
  Index windows;
  Index output, outputs;

  template <class F>
  void each(F&& put) const {
    for (Index w = 0; w < windows; ++w) {
      if (places[w] < 0) continue;
      for (Index o = 0; o < kSide && output + o < outputs; o += kLanes)
        put(places[w], output + o, load_ints(&sums[w][o]));
    }
  }

  // Pixels of bytes; `fills` the bytes behind the last output.
  void encode(const Int8Epilogue& finish, const Encoder& encode, Byte* y, Index pixel,
              bool fills) const {
    const Index end = fills ? pixel : outputs;
    each([&](Index place, Index o, Ints sum) {
      store_narrowed(y + place * pixel + o, encode(finish(sum, o)), end - o);
    });
  }

  // Rows of floats, one for each place.
  void rows(const Int8Epilogue& finish, float* y, Index row) const {
    each([&](Index place, Index o, Ints sum) {
      store_some(y + place * row + o, finish(sum, o), outputs - o);
    });
  }

  // Planes of floats. Windows of the image that follow each other have adjacent places.
  void planes(const Int8Epilogue& finish, float* y, Index plane) const {
    for (Index w = 0; w < windows; w += kLanes)
      for (Index o = 0; o < kSide && output + o < outputs; o += kLanes) {
        Vec tile[kLanes];
        for (Index r = 0; r < kLanes; ++r)
          tile[r] = finish(load_ints(&sums[w + r][o]), output + o);
        transpose(tile);
        put_lanes(tile, std::min(kLanes, outputs - output - o), places + w,
                  y + (output + o) * plane, plane);
      }
  }

 private:
  static void put_lanes(const Vec (&tile)[kLanes], Index count, const std::int32_t* places,
                        float* y, Index plane) {
    Index first = 0;
    while (first < kLanes && places[first] < 0) ++first;
    if (first == kLanes) return;
#if defined(__AVX512F__)
    const __mmask16 valid =
        _mm512_cmpge_epi32_mask(load_ints(places), _mm512_setzero_si512());
    const __mmask16 lanes = first_lanes(__builtin_popcount(valid));
    for (Index r = 0; r < count; ++r)
      _mm512_mask_storeu_ps(y + r * plane + places[first], lanes,
                            _mm512_maskz_compress_ps(valid, tile[r]));
#else
    if (places[kLanes - 1] - places[first] == kLanes - 1) {
      for (Index r = 0; r < count; ++r) store(y + r * plane + places[first], tile[r]);
      return;
    }
    for (Index r = 0; r < count; ++r)
      for (Index i = first; i < kLanes; ++i)
        if (places[i] >= 0) y[r * plane + places[i]] = tile[r][i];
#endif
  }
};

// Makes codes of sums while these are in registers.
struct StoreCodes {
  const Int8Epilogue& finish;
  const Packer& pack;
  const std::int32_t* places;  // of windows
  Byte* to;  // of the first output, in the first pixel of the image
  Index pixel, output, bytes;  // bytes of a pixel that are written

  Ints start(Index o) const {
    return NATIVE(sub_epi32)(Ints{}, load_ints(finish.offset + output + o));
  }

  template <Index R, Index N>
  void operator()(Index first, Index across, const Ints (&totals)[R][N]) const {
    constexpr Index kWindows = 4 / N;  // of a vector of codes
#pragma GCC unroll 8
    for (Index r = 0; r < R; r += kWindows) {
      Vec values[4];
#pragma GCC unroll 4
      for (Index i = 0; i < 4; ++i)
        values[i] = finish.scaled(totals[std::min(R - 1, r + i / N)][i % N],
                                  output + across + kLanes * (i % N));
      const Ints codes = in_order(pack(values[0], values[1], values[2], values[3]));
      const std::int32_t* at = places + first + r;
#if defined(__AVX512F__)
      if constexpr (N == 2) {
        put(_mm512_castsi512_si256(codes), at[0], across);
        if constexpr (R > 1) put(_mm512_extracti64x4_epi64(codes, 1), at[1], across);
      } else {
        put(_mm512_castsi512_si128(codes), at[0], across);
        if constexpr (R > 1) put(_mm512_extracti32x4_epi32(codes, 1), at[1], across);
        if constexpr (R > 2) put(_mm512_extracti32x4_epi32(codes, 2), at[2], across);
        if constexpr (R > 2) put(_mm512_extracti32x4_epi32(codes, 3), at[3], across);
      }
#else
      put(_mm256_castsi256_si128(codes), at[0], across);
      if constexpr (R > 1) put(_mm256_extracti128_si256(codes, 1), at[1], across);
#endif
    }
  }

 private:
  // From four outputs of each vector in turn to those of one window behind the other.
  static Ints in_order(Ints packed) {
#if defined(__AVX512F__)
    const Ints order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_permutexvar_epi32(order, packed);
#else
    return _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
#endif
  }

  // The codes of a window, if it is one of the image.
  template <class B>
  void put(B codes, std::int32_t place, Index across) const {
    if (place >= 0 && bytes > across) store_first(to + place * pixel + output + across, codes,
                                                  bytes - across);
  }
};

#endif

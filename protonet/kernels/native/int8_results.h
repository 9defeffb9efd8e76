// From sums of integers to values: floats, or bytes for the next layer.
#pragma once

#include <vector>

#include "int8_coding.h"
#include "int8_products.h"

#if defined(__AVX2__)

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
  const Index* places;  // of windows; -1 of those that are dropped
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

  // Planes of floats. Windows that are not dropped follow each other in a plane.
  void planes(const Int8Epilogue& finish, float* y, Index plane) const {
    for (Index w = 0; w < windows; w += kLanes)
      for (Index o = 0; o < kSide && output + o < outputs; o += kLanes) {
        Vec tile[kLanes] = {};
        const Index here = std::min(kLanes, windows - w);
        Index count = 0, place = 0;  // of those that are not dropped
        for (Index r = 0; r < here; ++r) {
          if (places[w + r] < 0) continue;
          if (count == 0) place = places[w + r];
          tile[count++] = finish(load_ints(&sums[w + r][o]), output + o);
        }
        transpose(tile);
        const FirstLanes lanes(count);
        for (Index r = 0; r < std::min(kLanes, outputs - output - o); ++r)
          lanes.store(y + (output + o + r) * plane + place, tile[r]);
      }
  }
};

// Makes codes of sums while these are in registers.
struct StoreCodes {
  const Int8Epilogue& finish;
  const Packer& pack;
  Byte* to;  // of the first window and output
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
      Byte* at = to + (first + r) * pixel + across;
      const Index left = bytes - across;
#if defined(__AVX512F__)
      if constexpr (N == 2) {
        store_first(at, _mm512_castsi512_si256(codes), left);
        if constexpr (R > 1)
          store_first(at + pixel, _mm512_extracti64x4_epi64(codes, 1), left);
      } else {
        store_first(at, _mm512_castsi512_si128(codes), left);
        if constexpr (R > 1)
          store_first(at + pixel, _mm512_extracti32x4_epi32(codes, 1), left);
        if constexpr (R > 2) {
          store_first(at + 2 * pixel, _mm512_extracti32x4_epi32(codes, 2), left);
          store_first(at + 3 * pixel, _mm512_extracti32x4_epi32(codes, 3), left);
        }
      }
#else
      store_first(at, _mm256_castsi256_si128(codes), left);
      if constexpr (R > 1) store_first(at + pixel, _mm256_extracti128_si256(codes, 1), left);
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
};

#endif

// Products of bytes with 8-bit weights, summed in 32 bits: tiles of AMX, AVX512_VNNI, or AVX2.
#pragma once

#include <cstring>

#include "features.h"
#include "int8_layout.h"
#include "int8_vec.h"

#if defined(__AVX2__)

constexpr Index kSide = 32;     // of a block of results: places by outputs
constexpr Index kBlock = 1024;  // bytes of the weights of 16 outputs for one piece

using Sums = std::int32_t[kSide][kSide];

// The operands of a block: some windows of an image, and the weights of 16 or 32 outputs.
struct Int8Operands {
  const Byte* image;
  const Index* begin;  // of each window; those of tiles are `place` bytes apart
  Index place, places;
  const Int8Layout::Piece* pieces;
  Index count;
  const std::int8_t* b[2];  // the second is null for 16 outputs
};

#if defined(__AVX512F__)

// Tiles of AMX.

struct alignas(64) TileConfiguration {
  Byte palette = 1, start = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  Byte rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// 0 to 3: sums, 4 and 5: windows, 6 and 7: weights.
template <bool kMore, bool kWide>
WITH_TILES void multiply_tiles(const Int8Operands& o, Sums& sums) {
  _tile_zero(0);
  if constexpr (kWide) _tile_zero(1);
  if constexpr (kMore) _tile_zero(2);
  if constexpr (kMore && kWide) _tile_zero(3);
  const Byte* a = o.image + o.begin[0];
  const Byte* more = a + 16 * o.place;
  for (Index i = 0; i < o.count; ++i) {
    const Index offset = o.pieces[i].offset;
    _tile_loadd(4, a + offset, o.place);
    _tile_loadd(6, o.b[0] + i * kBlock, 64);
    _tile_dpbusd(0, 4, 6);
    if constexpr (kWide) {
      _tile_loadd(7, o.b[1] + i * kBlock, 64);
      _tile_dpbusd(1, 4, 7);
    }
    if constexpr (kMore) {
      _tile_loadd(5, more + offset, o.place);
      _tile_dpbusd(2, 5, 6);
    }
    if constexpr (kMore && kWide) _tile_dpbusd(3, 5, 7);
  }
  constexpr Index row = sizeof(sums[0]);
  _tile_stored(0, &sums[0][0], row);
  if constexpr (kWide) _tile_stored(1, &sums[0][16], row);
  if constexpr (kMore) _tile_stored(2, &sums[16][0], row);
  if constexpr (kMore && kWide) _tile_stored(3, &sums[16][16], row);
}

// In memory for good: GCC's intrinsic tells the compiler of its first bytes alone.
inline const TileConfiguration kConfiguration;

WITH_TILES inline void begin_tiles() {
  _tile_loadconfig(&kConfiguration);
}

WITH_TILES inline void end_tiles() { _tile_release(); }

WITH_TILES inline void multiply_by_tiles(const Int8Operands& o, Sums& sums) {
  const bool more = o.places > 16, wide = o.b[1] != nullptr;
  if (more && wide) multiply_tiles<true, true>(o, sums);
  else if (more) multiply_tiles<true, false>(o, sums);
  else if (wide) multiply_tiles<false, true>(o, sums);
  else multiply_tiles<false, false>(o, sums);
}

#endif

// Vectors: R windows and N vectors of outputs at a time.

constexpr Index kBlockVectors = 16 / kLanes;  // of the sums of 16 outputs
constexpr Index kAtOnce = kLanes / 2;         // windows in registers

// Adds the products of four bytes with the weights of each output. Without AVX512_VNNI two products
// are added in 16 bits, which hold them: weights are made so that they do (kernels/int8.py).
WITH_VNNI inline Ints add_quads(Ints total, Ints values, Ints weights) {
#if defined(__AVX512F__)
  return _mm512_dpbusd_epi32(total, values, weights);
#else
  const Ints pairs = _mm256_maddubs_epi16(values, weights);
  return _mm256_add_epi32(total, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
#endif
}

template <Index R, Index N, class F>
WITH_VNNI void multiply_quads(const Int8Operands& o, Index block, Index first, const F& finish) {
  Ints totals[R][N];
#pragma GCC unroll 2
  for (Index n = 0; n < N; ++n) {
    const Ints start = finish.start(16 * block + kLanes * n);
#pragma GCC unroll 8
    for (Index r = 0; r < R; ++r) totals[r][n] = start;
  }
  for (Index i = 0; i < o.count; ++i) {
    const Byte* a[R];
#pragma GCC unroll 8
    for (Index r = 0; r < R; ++r) a[r] = o.image + o.begin[first + r] + o.pieces[i].offset;
    for (Index q = 0; q < o.pieces[i].quads; ++q) {
      Ints weights[N];
#pragma GCC unroll 2
      for (Index n = 0; n < N; ++n) {
        const std::int8_t* b = o.b[block + n / kBlockVectors] + i * kBlock;
        weights[n] = load_ints(b + 64 * q + n % kBlockVectors * kBytes);
      }
#pragma GCC unroll 8
      for (Index r = 0; r < R; ++r) {
        std::int32_t quad;
        std::memcpy(&quad, a[r] + 4 * q, 4);
        const Ints values = NATIVE(set1_epi32)(quad);
#pragma GCC unroll 2
        for (Index n = 0; n < N; ++n)
          totals[r][n] = add_quads(totals[r][n], values, weights[n]);
      }
    }
  }
  finish(first, 16 * block, totals);
}

template <Index N, class F>
WITH_VNNI void multiply_rows(const Int8Operands& o, Index block, const F& finish) {
  Index r = 0;
  for (; r + kAtOnce <= o.places; r += kAtOnce) multiply_quads<kAtOnce, N>(o, block, r, finish);
  if (kAtOnce > 4 && r + 4 <= o.places) multiply_quads<4, N>(o, block, r, finish), r += 4;
  if (r + 2 <= o.places) multiply_quads<2, N>(o, block, r, finish), r += 2;
  if (r < o.places) multiply_quads<1, N>(o, block, r, finish);
}

// `finish` has what the sums of outputs begin with, and takes those of R windows and N vectors of
// outputs; of both it is told the first.
template <class F>
WITH_VNNI inline void multiply_by_quads(const Int8Operands& o, const F& finish) {
#if defined(__AVX512F__)
  if (o.b[1] != nullptr) multiply_rows<2>(o, 0, finish);
  else multiply_rows<1>(o, 0, finish);
#else
  for (Index block = 0; block < 2 && o.b[block] != nullptr; ++block)
    multiply_rows<2>(o, block, finish);
#endif
}

// Keeps sums as they are.
struct StoreSums {
  Sums& sums;

  Ints start(Index) const { return Ints{}; }

  template <Index R, Index N>
  void operator()(Index first, Index output, const Ints (&totals)[R][N]) const {
    for (Index r = 0; r < R; ++r)
      for (Index n = 0; n < N; ++n) store_ints(&sums[first + r][output + kLanes * n], totals[r][n]);
  }
};

#endif

// Products of codes with 8-bit weights, summed in 32 bits: tiles of AMX, AVX512_VNNI, or AVX2.
#pragma once

#include <cstring>

#include "features.h"
#include "int8_layout.h"
#include "int8_vec.h"

#if defined(__AVX2__)

// Of a block of results: windows (whole numbers of what registers hold) by outputs.
constexpr Index kSide = kLanes == 16 ? 32 : 48, kAcross = 32;
constexpr Index kBlock = 1024;  // bytes of the weights of 16 outputs for one piece

using Sums = std::int32_t[kSide][kAcross];

// The operands of a block: `places` windows from `a` on, and the weights of 16 or 32 outputs.
struct Int8Operands {
  const Code* a;
  Index place, places;
  const Int8Layout::Piece* pieces;
  Index count;
  const std::int8_t* b[2];  // the second is null for 16 outputs
};

// Where the weight of an output with code `k` is in the block of a piece: an instruction multiplies
// so many adjacent codes of each output.
inline Index weight_at(Index k, Index output) {
  constexpr Index adjacent = 4 / sizeof(Code);
  return k / adjacent * 16 * adjacent + output * adjacent + k % adjacent;
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
  const Byte* a = o.a;
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

// AVX512_VNNI: R windows and N vectors of outputs at a time.

template <Index R, Index N, class F>
WITH_VNNI void multiply_quads(const Int8Operands& o, Index first, const F& finish) {
  Ints totals[R][N];
  for (Index n = 0; n < N; ++n) {
    const Ints start = finish.start(16 * n);
    for (Index r = 0; r < R; ++r) totals[r][n] = start;
  }
  for (Index i = 0; i < o.count; ++i) {
    const Byte* a = o.a + first * o.place + o.pieces[i].offset;
    for (Index q = 0; q < o.pieces[i].quads; ++q) {
      Ints weights[N];
      for (Index n = 0; n < N; ++n) weights[n] = load_ints(o.b[n] + i * kBlock + 64 * q);
      for (Index r = 0; r < R; ++r) {
        std::int32_t quad;
        std::memcpy(&quad, a + r * o.place + 4 * q, 4);
        const Ints values = _mm512_set1_epi32(quad);
        for (Index n = 0; n < N; ++n)
          totals[r][n] = _mm512_dpbusd_epi32(totals[r][n], values, weights[n]);
      }
    }
  }
  finish(first, 0, totals);
}

template <Index N, class F>
WITH_VNNI void multiply_rows(const Int8Operands& o, const F& finish) {
  Index r = 0;
  for (; r + 8 <= o.places; r += 8) multiply_quads<8, N>(o, r, finish);
  if (r + 4 <= o.places) multiply_quads<4, N>(o, r, finish), r += 4;
  if (r + 2 <= o.places) multiply_quads<2, N>(o, r, finish), r += 2;
  if (r < o.places) multiply_quads<1, N>(o, r, finish);
}

// `finish` has what the sums of an output begin with, and takes those of R windows and N vectors of
// outputs, of which it is told the first.
template <class F>
WITH_VNNI inline void multiply_in_registers(const Int8Operands& o, const F& finish) {
  if (o.b[1] != nullptr) multiply_rows<2>(o, finish);
  else multiply_rows<1>(o, finish);
}

#else

// AVX2: R windows and 16 outputs at a time, whose weights become words as they are read. Compilers
// would compute products ahead of their sums, and spill them: so each pair is one statement.

inline void add_products(Ints& total, Ints values, Ints weights) {
  Ints products;
  asm volatile("vpmaddwd %2, %3, %1\n\tvpaddd %1, %0, %0"
               : "+x"(total), "=&x"(products)
               : "x"(values), "x"(weights));
}

template <Index R, class F>
void multiply_pairs(const Int8Operands& o, Index block, Index first, const F& finish) {
  Ints totals[R][2];
#pragma GCC unroll 2
  for (Index n = 0; n < 2; ++n) {
    const Ints start = finish.start(16 * block + 8 * n);
#pragma GCC unroll 6
    for (Index r = 0; r < R; ++r) totals[r][n] = start;
  }
  for (Index i = 0; i < o.count; ++i) {
    const Code* a = o.a + first * o.place + o.pieces[i].offset;
    const auto* w = reinterpret_cast<const __m128i*>(o.b[block] + i * kBlock);
    for (Index p = 0; p < 2 * o.pieces[i].quads; ++p, w += 2) {
      const Ints near = _mm256_cvtepi8_epi16(_mm_loadu_si128(w));
      const Ints far = _mm256_cvtepi8_epi16(_mm_loadu_si128(w + 1));
#pragma GCC unroll 6
      for (Index r = 0; r < R; ++r) {
        std::int32_t pair;
        std::memcpy(&pair, a + r * o.place + 2 * p, 4);
        const Ints values = _mm256_set1_epi32(pair);
        add_products(totals[r][0], values, near);
        add_products(totals[r][1], values, far);
      }
    }
  }
  finish(first, 16 * block, totals);
}

// `finish` has what the sums of an output begin with, and takes those of R windows and two vectors
// of outputs, of which it is told the first.
template <class F>
void multiply_in_registers(const Int8Operands& o, const F& finish) {
  for (Index block = 0; block < 2 && o.b[block] != nullptr; ++block) {
    Index r = 0;
    for (; r + 6 <= o.places; r += 6) multiply_pairs<6>(o, block, r, finish);
    if (r + 4 <= o.places) multiply_pairs<4>(o, block, r, finish), r += 4;
    if (r + 2 <= o.places) multiply_pairs<2>(o, block, r, finish), r += 2;
    if (r < o.places) multiply_pairs<1>(o, block, r, finish);
  }
}

#endif

#endif

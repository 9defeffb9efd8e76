#include "pairs.h"

#if defined(__AVX512F__)

namespace {

struct alignas(64) TileShapes {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

constexpr Index kPairBytes = 4, kFloatBytes = 4;

// Tiles 0 to 3 are sums, 4 and 5 of A, 6 and 7 of B.
template <bool kTall, bool kWide>
WITH_TILES void multiply_tiles(const PairProduct& p) {
  constexpr Index side = kPairSide * kPairColumns, line = kPairColumns * kFloatBytes;
  if (p.go_on) {
    _tile_loadd(0, p.sums, line);
    if (kWide) _tile_loadd(1, p.sums + kPairSide, line);
    if (kTall) _tile_loadd(2, p.sums + side, line);
    if (kTall && kWide) _tile_loadd(3, p.sums + side + kPairSide, line);
  } else {
    _tile_zero(0);
    if (kWide) _tile_zero(1);
    if (kTall) _tile_zero(2);
    if (kTall && kWide) _tile_zero(3);
  }
  const Pair *a = p.a, *b = p.b;
  const Index row = p.row * kPairBytes, column = kPairColumns * kPairBytes;
  for (Index s = 0; s < p.steps; ++s, a += p.step, b += kPairStep * kPairColumns) {
    _tile_loadd(4, a, row);
    _tile_loadd(6, b, column);
    if (kWide) _tile_loadd(7, b + kPairSide, column);
    _tile_dpbf16ps(0, 4, 6);
    if (kWide) _tile_dpbf16ps(1, 4, 7);
    if (!kTall) continue;
    _tile_loadd(5, a + p.tile, row);
    _tile_dpbf16ps(2, 5, 6);
    if (kWide) _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, p.sums, line);
  if (kWide) _tile_stored(1, p.sums + kPairSide, line);
  if (kTall) _tile_stored(2, p.sums + side, line);
  if (kTall && kWide) _tile_stored(3, p.sums + side + kPairSide, line);
}

// Eight rows at a time.
template <Index V>
WITH_BF16 void multiply_rows(const PairProduct& p, const Pair* a, float* to) {
  constexpr Index R = 8;
  __m512 sums[R][V];
  for (Index r = 0; r < R; ++r)
    for (Index v = 0; v < V; ++v)
      sums[r][v] = p.go_on ? _mm512_loadu_ps(to + r * kPairColumns + v * kPairSide)
                           : _mm512_setzero_ps();
  const Pair* b = p.b;
  for (Index s = 0; s < p.steps; ++s, a += p.step)
    for (Index k = 0; k < kPairStep; ++k, b += kPairColumns) {
      __m512bh columns[V];
      for (Index v = 0; v < V; ++v)
        columns[v] = (__m512bh)_mm512_loadu_si512(b + v * kPairSide);
#pragma GCC unroll 8
      for (Index r = 0; r < R; ++r) {
        const auto both = (__m512bh)_mm512_set1_epi32(static_cast<int>(a[r * p.row + k]));
        for (Index v = 0; v < V; ++v)
          sums[r][v] = _mm512_dpbf16_ps(sums[r][v], both, columns[v]);
      }
    }
  for (Index r = 0; r < R; ++r)
    for (Index v = 0; v < V; ++v)
      _mm512_storeu_ps(to + r * kPairColumns + v * kPairSide, sums[r][v]);
}

void multiply_by_dots(const PairProduct& p) {
  for (Index row = 0; row < (p.tall ? kPairRows : kPairSide); row += 8) {
    const Pair* a = p.a + (row < kPairSide ? row * p.row : p.tile + (row - kPairSide) * p.row);
    float* to = p.sums + row * kPairColumns;
    p.wide ? multiply_rows<2>(p, a, to) : multiply_rows<1>(p, a, to);
  }
}

void multiply_by_tiles(const PairProduct& p) {
  if (p.tall) return p.wide ? multiply_tiles<true, true>(p) : multiply_tiles<true, false>(p);
  p.wide ? multiply_tiles<false, true>(p) : multiply_tiles<false, false>(p);
}

WITH_TILES void take_tiles() {
  static const TileShapes shapes;
  _tile_loadconfig(&shapes);
}
WITH_TILES void release_tiles() { _tile_release(); }

}  // namespace

PairUnit::PairUnit() : multiply_(features().tiles_bf16 ? multiply_by_tiles : multiply_by_dots) {
  if (multiply_ == multiply_by_tiles) take_tiles();
}
PairUnit::~PairUnit() {
  if (multiply_ == multiply_by_tiles) release_tiles();
}

#endif

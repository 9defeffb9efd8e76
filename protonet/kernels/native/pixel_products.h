// Products of windows over pixels with weights, summed in float32 by tiles of AMX.
#pragma once

#include "pairs.h"

#if defined(__AVX512F__)

using PixelSums = float[kPairSide * 2][kPairSide * 2];  // windows x outputs

// Up to 32 windows from `a` on, and packed weights of 16 or 32 outputs.
struct PixelOperands {
  const Bf16* a;
  Index place, places;  // values from window to window; windows
  const Index* offsets;  // of the pieces
  Index count;
  const Pair* b[2];  // the second is null for 16 outputs
  bool go_on;        // adds to the sums
};

struct alignas(64) PixelTiles {
  std::uint8_t palette = 1, start = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
// In memory for good: GCC's intrinsic tells the compiler of its first bytes alone.
inline const PixelTiles kPixelTiles;

WITH_TILES inline void begin_pixel_tiles() { _tile_loadconfig(&kPixelTiles); }
WITH_TILES inline void end_pixel_tiles() { _tile_release(); }

// 0 to 3: sums, 4 and 5: windows, 6 and 7: weights.
template <bool kMore, bool kWide>
WITH_TILES void multiply_pixel_tiles(const PixelOperands& o, PixelSums& sums) {
  constexpr Index row = sizeof(sums[0]);
  if (o.go_on) {
    _tile_loadd(0, &sums[0][0], row);
    if constexpr (kWide) _tile_loadd(1, &sums[0][16], row);
    if constexpr (kMore) _tile_loadd(2, &sums[16][0], row);
    if constexpr (kMore && kWide) _tile_loadd(3, &sums[16][16], row);
  } else {
    _tile_zero(0);
    if constexpr (kWide) _tile_zero(1);
    if constexpr (kMore) _tile_zero(2);
    if constexpr (kMore && kWide) _tile_zero(3);
  }
  const Index place = o.place * static_cast<Index>(sizeof(Bf16));
  const Bf16* more = o.a + 16 * o.place;
  for (Index i = 0; i < o.count; ++i) {
    const Index offset = o.offsets[i];
    _tile_loadd(4, o.a + offset, place);
    _tile_loadd(6, o.b[0] + i * kPairTile, 64);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (kWide) {
      _tile_loadd(7, o.b[1] + i * kPairTile, 64);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (kMore) {
      _tile_loadd(5, more + offset, place);
      _tile_dpbf16ps(2, 5, 6);
    }
    if constexpr (kMore && kWide) _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, &sums[0][0], row);
  if constexpr (kWide) _tile_stored(1, &sums[0][16], row);
  if constexpr (kMore) _tile_stored(2, &sums[16][0], row);
  if constexpr (kMore && kWide) _tile_stored(3, &sums[16][16], row);
}

WITH_TILES inline void multiply_by_pixel_tiles(const PixelOperands& o, PixelSums& sums) {
  const bool more = o.places > 16, wide = o.b[1] != nullptr;
  if (more && wide) multiply_pixel_tiles<true, true>(o, sums);
  else if (more) multiply_pixel_tiles<true, false>(o, sums);
  else if (wide) multiply_pixel_tiles<false, true>(o, sums);
  else multiply_pixel_tiles<false, false>(o, sums);
}

#endif

// Products of a panel of windows over pixels with packed weights, and where they go.
#pragma once

#include <utility>
#include <vector>

#include "epilogue.h"
#include "gemm.h"

// Adjacent values under a window, from its first; `ends` a sum in registers, see kChunk.
struct PixelPiece {
  Index offset, count;
  bool ends;
};

// tile[r][...] = what lies under window r, `place` floats from that before, times weights of V
// vectors. A line from `ahead` on is loaded in each step of the depth, for whoever needs it next.
template <Index R, Index V>
void multiply_pixel_tile(const std::vector<PixelPiece>& pieces, const float* a, Index place,
                         const float* b, float* tile, const float* ahead) {
  // A row and its two neighbors have addresses of one base.
  constexpr Index kBases = (R + 2) / 3;
  Vec* to = reinterpret_cast<Vec*>(tile);
  const PixelPiece* piece = pieces.data();
  const PixelPiece* const end = piece + pieces.size();
  for (bool go_on = false; piece < end; go_on = true) {
    Vec sums[R][V];
    for (Index r = 0; r < R; ++r)
      for (Index v = 0; v < V; ++v) sums[r][v] = Vec{};
    do {
      const float* rows[kBases];
      for (Index i = 0; i < kBases; ++i) rows[i] = a + piece->offset + 3 * i * place;
      for (Index k = piece->count; k > 0; --k, b += V * kLanes) {
        __builtin_prefetch(std::exchange(ahead, ahead + 16));
        Vec columns[V];
#pragma GCC unroll 4
        for (Index v = 0; v < V; ++v) columns[v] = reinterpret_cast<const Vec*>(b)[v];
#pragma GCC unroll 16
        for (Index r = 0; r < R; ++r) {
          const Vec factor = splat(rows[r / 3][r % 3 * place]);
#pragma GCC unroll 4
          for (Index v = 0; v < V; ++v) sums[r][v] += factor * columns[v];
        }
        for (Index i = 0; i < kBases; ++i) ++rows[i];
      }
    } while (!(piece++)->ends);
#pragma GCC unroll 16
    for (Index r = 0; r < R; ++r)
#pragma GCC unroll 4
      for (Index v = 0; v < V; ++v) {
        Vec& at = to[r * V + v];
        at = go_on ? at + sums[r][v] : sums[r][v];
      }
  }
}

// The same for `rows` windows and `columns` outputs, kColumns or half of that.
inline void multiply_pixels(Index rows, Index columns, const std::vector<PixelPiece>& pieces,
                            const float* a, Index place, const float* b, float* tile,
                            const float* ahead) {
  with_rows(rows, [=, &pieces](auto r) {
    if (columns == kColumns) multiply_pixel_tile<r, kVectors>(pieces, a, place, b, tile, ahead);
    else multiply_pixel_tile<r, kVectors / 2>(pieces, a, place, b, tile, ahead);
  });
}

// Up to kColumns adjacent outputs of places.
class PixelPanel {
 public:
  PixelPanel(const Epilogue& epilogue, Index first, Index count) : epilogue_(epilogue), count_(count) {
    for (Index v = 0; v < kVectors; ++v) {
      const Index here = lanes(v);
      factor_[v] = epilogue.factor == nullptr ? splat(1.0f)
                                              : load_some(epilogue.factor + first + v * kLanes, here);
      bias_[v] = epilogue.bias == nullptr ? Vec{}
                                          : load_some(epilogue.bias + first + v * kLanes, here);
    }
  }

  // Writes `rows` rows of a tile to adjacent places.
  void put(const float* tile, Index rows, Index width, float* to) const {
    for (Index r = 0; r < rows; ++r, tile += width, to += epilogue_.pixel)
      for (Index v = 0; v * kLanes < count_; ++v)
        epilogue_.put(load(tile + v * kLanes) * factor_[v] + bias_[v], to + v * kLanes, lanes(v));
  }

 private:
  Index lanes(Index v) const { return std::clamp<Index>(count_ - v * kLanes, 0, kLanes); }

  const Epilogue& epilogue_;
  Index count_;
  Vec factor_[kVectors], bias_[kVectors];
};

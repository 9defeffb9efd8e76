// Products of a panel of windows over pixels with packed weights, and where they go.
#pragma once

#include <limits>
#include <utility>
#include <vector>

#include "epilogue.h"
#include "gemm.h"

// How many products are summed in registers, see kChunk: adding to sums in memory costs more here,
// where weights are packed already, than over planes.
constexpr Index kSummed = 128;

// Adjacent values under a window, from its first; `ends` a sum in registers.
struct PixelPiece {
  Index offset, count;
  bool ends;
};

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

  // Whether all vectors of `width` outputs are whole, and only rectified at most.
  bool is_plain(Index width) const {
    return count_ == width && epilogue_.addend == nullptr && !epilogue_.streams;
  }

  // Writes the sums of R adjacent places.
  template <Index R, Index V, bool kPlain>
  void put(const Vec (&sums)[R][V], float* to) const {
    const Vec least = splat(epilogue_.rectify ? 0.0f : -std::numeric_limits<float>::infinity());
#pragma GCC unroll 16
    for (Index r = 0; r < R; ++r, to += epilogue_.pixel)
#pragma GCC unroll 4
      for (Index v = 0; v < V; ++v) {
        const Vec value = sums[r][v] * factor_[v] + bias_[v];
        // Written this way so that NaN propagates.
        if constexpr (kPlain) store(to + v * kLanes, value < least ? least : value);
        else if (v * kLanes < count_) epilogue_.put(value, to + v * kLanes, lanes(v));
      }
  }

 private:
  Index lanes(Index v) const { return std::clamp<Index>(count_ - v * kLanes, 0, kLanes); }

  const Epilogue& epilogue_;
  Index count_;
  Vec factor_[kVectors], bias_[kVectors];
};

// What lies under window r, `place` floats from that before, times weights of V vectors, for R
// windows whose results begin at `y`. The sums of all but the last chunk are in `tile`. A line from
// `ahead` on is loaded in each step of the depth, for whoever needs it next.
template <Index R, Index V, bool kPlain>
void multiply_pixel_tile(const std::vector<PixelPiece>& pieces, const float* a, Index place,
                         const float* b, float* tile, const float* ahead, const PixelPanel& results,
                         float* y) {
  // A row and its two neighbors have addresses of one base.
  constexpr Index kBases = (R + 2) / 3;
  Vec* to = reinterpret_cast<Vec*>(tile);
  const PixelPiece* piece = pieces.data();
  const PixelPiece* const end = piece + pieces.size();
  for (bool go_on = false;; go_on = true) {
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
    if (go_on) {
#pragma GCC unroll 16
      for (Index r = 0; r < R; ++r)
#pragma GCC unroll 4
        for (Index v = 0; v < V; ++v) sums[r][v] = to[r * V + v] + sums[r][v];
    }
    if (piece == end) return results.put<R, V, kPlain>(sums, y);
#pragma GCC unroll 16
    for (Index r = 0; r < R; ++r)
#pragma GCC unroll 4
      for (Index v = 0; v < V; ++v) to[r * V + v] = sums[r][v];
  }
}

// The same for `rows` windows and `columns` outputs, kColumns or half of that.
inline void multiply_pixels(Index rows, Index columns, const std::vector<PixelPiece>& pieces,
                            const float* a, Index place, const float* b, float* tile,
                            const float* ahead, const PixelPanel& results, float* y) {
  const bool plain = results.is_plain(columns);
  with_rows(rows, [=, &pieces, &results](auto r) {
    if (columns == kColumns && plain)
      multiply_pixel_tile<r, kVectors, true>(pieces, a, place, b, tile, ahead, results, y);
    else if (columns == kColumns)
      multiply_pixel_tile<r, kVectors, false>(pieces, a, place, b, tile, ahead, results, y);
    else if (plain)
      multiply_pixel_tile<r, kVectors / 2, true>(pieces, a, place, b, tile, ahead, results, y);
    else
      multiply_pixel_tile<r, kVectors / 2, false>(pieces, a, place, b, tile, ahead, results, y);
  });
}

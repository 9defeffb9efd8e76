// Convolution of single places with packed weights, whose vectors run along places: nothing of the
// image is packed, and sums are stored from registers. For large planes of few channels, where
// packing would take as long as multiplying.
#pragma once

#include <algorithm>

#include "convolution_way.h"
#include "gemm.h"
#include "pool.h"
#include "row_results.h"

class PlaceLanes final : public PackedWay {
 public:
  explicit PlaceLanes(const ConvolutionShape& s) : s_(s), panels_(s.group_outputs()) {}

  // Whether it is faster than lanes of outputs: where rows of places are long, and images stay in
  // the caches, since it reads and writes a line of each channel at a time. Sums of more channels
  // are left to tiles, which add them in two levels.
  static bool pays(const ConvolutionShape& s) {
    return s.has_single_places() && s.places() >= 16 * kColumns && s.group_channels() <= 256 &&
           s.images * s.places() * (s.group_channels() + s.group_outputs()) <= kCached;
  }

  Index packed_size() const override { return panels_.size(s_.group_channels()); }

  void pack(const float* w, float* to) const override {
    const Index depth = s_.group_channels();
    for (Index p = 0; p < panels_.count; ++p)
      pack_rows(w + panels_.first(p) * depth, depth, panels_.height(p), depth,
                to + Panels::offset(p, depth));
  }

  void run_packed(const float* x, const float* packed, float* y,
                  const Epilogue& epilogue) const override {
    const Index strips = (s_.places() + kColumns - 1) / kColumns;
    const Index ranges = (strips + kStrips - 1) / kStrips;
    parallel(s_.images * ranges, [&](Index task) {
      const Index image = task / ranges, range = task % ranges;
      for (Index s = strips * range / ranges; s < strips * (range + 1) / ranges; ++s)
        run_strip(x + image * s_.x_stride(), packed, s * kColumns, y + image * s_.y_stride(),
                  epilogue);
    });
  }

 private:
  static constexpr Index kLine = 16;             // values of a cache line
  static constexpr Index kStrips = 4;            // of a task
  static constexpr Index kCached = Index{3} << 19;  // values of images and results

  void run_strip(const float* x, const float* packed, Index place, float* y,
                 const Epilogue& epilogue) const {
    const Index count = std::min(kColumns, s_.places() - place);
    for (Index p = 0; p < panels_.count; ++p) {
      float* to = y + panels_.first(p) * s_.places() + place;
      fetch_rows(to, panels_.height(p), count, s_.places(), epilogue);
      run_panel<kRows>(panels_.height(p), count, packed + Panels::offset(p, s_.group_channels()),
                       x + place, to, epilogue.from(panels_.first(p)), p == 0);
    }
  }

  // The height of a panel as a compile-time constant.
  template <Index R>
  void run_panel(Index height, Index count, const float* a, const float* x, float* y,
                 const Epilogue& epilogue, bool first) const {
    if constexpr (R > 1)
      if (height < R) return run_panel<R - 1>(height, count, a, x, y, epilogue, first);
    if (count == kColumns && first)
      run_tile<R, kVectors, false, true>(count, a, x, y, epilogue);
    else if (count == kColumns)
      run_tile<R, kVectors, false>(count, a, x, y, epilogue);
    else if (count > kColumns / 2)
      run_tile<R, kVectors, true>(count, a, x, y, epilogue);
    else
      run_tile<R, kVectors / 2, true>(count, a, x, y, epilogue);
  }

  // With kAhead the places of the next strip are loaded, too.
  template <Index R, Index V, bool kPart, bool kAhead = false>
  void run_tile(Index count, const float* a, const float* x, float* y,
                const Epilogue& epilogue) const {
    const Index plane = s_.plane(), rest = kPart ? count - (V - 1) * kLanes : kLanes;
    Vec sums[R][V] = {};
    for (Index k = 0; k < s_.group_channels(); ++k, a += R, x += plane) {
      for (Index i = 0; kAhead && i < V * kLanes; i += kLine) __builtin_prefetch(x + V * kLanes + i);
      Vec values[V];
#pragma GCC unroll 4
      for (Index v = 0; v < V; ++v)
        values[v] = kPart && v == V - 1 ? load_some(x + v * kLanes, rest) : load(x + v * kLanes);
#pragma GCC unroll 16
      for (Index r = 0; r < R; ++r) {
        const Vec factor = splat(a[r]);
#pragma GCC unroll 4
        for (Index v = 0; v < V; ++v) sums[r][v] += factor * values[v];
      }
    }
    store_rows<kPart>(sums, count, y, s_.places(), epilogue);
  }

  ConvolutionShape s_;
  Panels panels_;
};

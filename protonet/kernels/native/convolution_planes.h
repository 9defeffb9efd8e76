// Convolution of single places over large planes of many images, whose values are in no cache.
#pragma once

#include <algorithm>
#include <cstring>

#include "convolution_way.h"
#include "gemm.h"
#include "pool.h"
#include "row_results.h"

// Forward, or the backward pass to the input: the places of a block are copied once, and sums are
// stored from registers.
class LargePlanes final : public Way {
 public:
  // The weights of a convolution; or those of another one whose backward pass this one is: each row
  // has an output of this.
  enum class Rows { kOutputs, kChannels };

  explicit LargePlanes(const ConvolutionShape& s, Rows rows = Rows::kOutputs)
      : s_(s), rows_(rows), panels_(s.group_outputs()),
        strips_((s.places() + kColumns - 1) / kColumns),
        blocks_(strips_ * s.group_channels() * kColumns / kBlock) {
    // Few images are work for all threads, too.
    const Index wanted = 2 * threads() / std::max<Index>(s.images, 1);
    blocks_ = std::clamp(std::max(blocks_, wanted), (strips_ + 7) / 8, (strips_ + 1) / 2);
  }

  // Whether it is faster than lanes of outputs; so many places have few left over.
  static bool pays(const ConvolutionShape& s) {
    return s.has_single_places() && s.places() >= 512;
  }

  void run(const float* x, const float* w, float* y, const Epilogue& epilogue) const override {
    const Index depth = s_.group_channels(), outputs = s_.group_outputs();
    float* packed = thread_scratch(Scratch::kWeights, panels_.size(depth));
    parallel(panels_.count, [&](Index p) {
      const Index first = panels_.first(p), height = panels_.height(p);
      float* to = packed + Panels::offset(p, depth);
      if (rows_ == Rows::kOutputs)
        pack_rows(w + first * depth, depth, height, depth, to);
      else
        pack_columns(w + first, outputs, height, depth, to);
    });
    parallel(s_.images * blocks_, [&](Index task) {
      const Index image = task / blocks_, block = task % blocks_;
      run_block(x + image * s_.x_stride(), packed, strips_ * block / blocks_,
                strips_ * (block + 1) / blocks_, y + image * s_.y_stride(), epilogue);
    });
  }

 private:
  static constexpr Index kBlock = 1 << 16;  // values of a block, about: they stay in the L2 cache
  static constexpr Index kLine = 16;        // values of a cache line
  static constexpr Index kSummed = 256;     // channels at a time, whose sums are then added

  void run_block(const float* x, const float* weights, Index first, Index last, float* y,
                 const Epilogue& epilogue) const {
    const Index depth = s_.group_channels(), size = depth * kColumns;
    float* copied = thread_scratch(Scratch::kStrips, (last - first) * size);
    copy(x, first, last, copied);
    for (Index p = 0; p < panels_.count; ++p)
      for (Index s = first; s < last; ++s) {
        const Index place = s * kColumns, height = panels_.height(p);
        float* to = y + panels_.first(p) * s_.places() + place;
        const Index count = std::min(kColumns, s_.places() - place);
        fetch_rows(to, height, count, s_.places(), epilogue);
        // A part of the next block's places.
        const Index line = (last + (s - first)) * kColumns + p * kLine;
        const float* ahead = p < 2 && line < s_.places() ? x + line : nullptr;
        with_rows(height, [&](auto r) {
          const float* a = weights + Panels::offset(p, depth);
          const float* from = copied + (s - first) * size;
          const Epilogue own = epilogue.from(panels_.first(p));
          if (count == kColumns)
            run_tile<r, false>(count, a, from, to, own, ahead);
          else
            run_tile<r, true>(count, a, from, to, own, ahead);
        });
      }
  }

  // Strips of the places of every channel, side by side.
  void copy(const float* x, Index first, Index last, float* to) const {
    const Index depth = s_.group_channels(), places = s_.places();
    for (Index k = 0; k < depth; ++k, x += s_.plane())
      for (Index s = first; s < last; ++s) {
        float* strip = to + ((s - first) * depth + k) * kColumns;
        for (Index i = 0; i < kColumns; i += kLanes) {
          const Index rest = places - s * kColumns - i;
          store(strip + i, rest >= kLanes ? load(x + s * kColumns + i)
                                          : load_some(x + s * kColumns + i, std::max<Index>(rest, 0)));
        }
      }
  }

  template <Index R, bool kPart>
  void run_tile(Index count, const float* a, const float* x, float* y, const Epilogue& epilogue,
                const float* ahead) const {
    const Index depth = s_.group_channels(), step = ahead != nullptr ? s_.plane() : 0;
    if (ahead == nullptr) ahead = x;
    Vec sums[R][kVectors];
    add_products<R>(std::min(depth, kSummed), a, x, ahead, step, sums);
    for (Index first = kSummed; first < depth; first += kSummed) {
      Vec before[R][kVectors];
      std::memcpy(before, sums, sizeof sums);
      add_products<R>(std::min(depth - first, kSummed), a + first * R, x + first * kColumns,
                      ahead + first * step, step, sums);
      for (Index r = 0; r < R; ++r)
        for (Index v = 0; v < kVectors; ++v) sums[r][v] += before[r][v];
    }
    store_rows<kPart>(sums, count, y, s_.places(), epilogue);
  }

  template <Index R>
  static void add_products(Index depth, const float* a, const float* x, const float* ahead,
                           Index step, Vec (&sums)[R][kVectors]) {
    Vec own[R][kVectors] = {};
    for (Index k = 0; k < depth; ++k, a += R, x += kColumns, ahead += step) {
      __builtin_prefetch(ahead);
      Vec values[kVectors];
#pragma GCC unroll 4
      for (Index v = 0; v < kVectors; ++v) values[v] = reinterpret_cast<const Vec*>(x)[v];
#pragma GCC unroll 16
      for (Index r = 0; r < R; ++r) {
        const Vec factor = splat(a[r]);
#pragma GCC unroll 4
        for (Index v = 0; v < kVectors; ++v) own[r][v] += factor * values[v];
      }
    }
    std::memcpy(sums, own, sizeof own);
  }

  ConvolutionShape s_;
  Rows rows_;
  Panels panels_;
  Index strips_, blocks_;
};

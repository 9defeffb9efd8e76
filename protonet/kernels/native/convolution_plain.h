// Direct convolution with packed panels, for all shapes.
#pragma once

#include <algorithm>
#include <vector>

#include "convolution_correlation.h"
#include "convolution_remainders.h"
#include "convolution_way.h"
#include "pool.h"

class PlainForward final : public Way {
 public:
  explicit PlainForward(const ConvolutionShape& s)
      : s_(s), correlation_(s.gather(), s.images, s.group_channels(), s.out.y, s.out.x,
                            s.y_stride(), Tap{0, 0}, Tap{1, 1}) {}

  void run(const float* x, const float* w, float* y, const Epilogue& epilogue) const override {
    const Index rows = s_.group_outputs(), depth = correlation_.depth();
    const Panels panels(rows);
    const bool plain = correlation_.takes_rows();
    float* packed = plain ? nullptr : thread_scratch(Scratch::kWeights, panels.size(depth));
    if (!plain)
      parallel(panels.count, [&](Index p) {
        pack_rows(w + panels.first(p) * depth, depth, panels.height(p), depth,
                  packed + Panels::offset(p, depth));
      });
    correlation_.run(plain ? w : packed, plain, rows, x, s_.x_stride(), y, epilogue);
  }

 private:
  ConvolutionShape s_;
  Correlation correlation_;
};

// The backward pass to the input.
class PlainBackward final : public Way {
 public:
  explicit PlainBackward(const ConvolutionShape& s) : s_(s), remainders_(s) {}

  void run(const float* dy, const float* w, float* dx, const Epilogue&) const override {
    const Index outputs = s_.group_outputs(), channels = s_.group_channels();
    const Panels panels(channels);
    remainders_.clear_rest(dx);
    for (const auto& each : remainders_.all()) {
      const Index here = static_cast<Index>(each.taps.size()), depth = outputs * here;
      float* packed = thread_scratch(Scratch::kWeights, panels.size(depth));
      parallel((outputs + kPacked - 1) / kPacked, [&](Index some) {
        const Index first = some * kPacked;
        pack(w, each.taps, first, std::min(outputs, first + kPacked), depth, packed);
      });
      each.correlation->run(packed, false, channels, dy, s_.y_stride(), dx, {});
    }
  }

 private:
  static constexpr Index kPacked = 16;  // outputs at a time, whose weights stay in the L1 cache

  // Row c of A: over outputs m, of which these are some, and taps t of a remainder, w[m][c][t].
  void pack(const float* w, const std::vector<Index>& tap, Index begin, Index end, Index depth,
            float* packed) const {
    const Index channels = s_.group_channels(), taps = s_.taps();
    const Index here = static_cast<Index>(tap.size());
    const Panels panels(channels);
    for (Index p = 0; p < panels.count; ++p) {
      const Index first = panels.first(p), rows = panels.height(p);
      float* to = packed + Panels::offset(p, depth) + begin * here * rows;
      for (Index m = begin; m < end; ++m)
        for (Index t = 0; t < here; ++t, to += rows) {
          const float* from = w + (m * channels + first) * taps + tap[t];
          if (taps == 1)
            store_some(to, load_some(from, rows), rows);
          else
            for (Index r = 0; r < rows; ++r) to[r] = from[r * taps];
        }
    }
  }

  ConvolutionShape s_;
  ByRemainder<Correlation> remainders_;
};

// The gradient of the weights is accumulated over pieces of a batch's blocks; the number of pieces
// does not depend on the thread count. `learn_piece` computes one piece, or a range of its
// channels.
class LearnInPieces : public LearnWay {
 public:
  LearnInPieces(const ConvolutionShape& s, Index ranges_at_most)
      : s_(s), gather_(s.gather()), blocks_(gather_.blocks(s.images, kLearned)) {
    const Index count = static_cast<Index>(blocks_.size()), taken = s.group_channels() * s.taps();
    pieces_ = std::clamp<Index>(std::min(count, (1 << 20) / size()), 1, kPieces);
    // With few pieces, ranges are work for threads too.
    const Index wanted = pieces_ < kShared ? std::min(taken / 128, kShared / pieces_) : 1;
    ranges_ = std::clamp<Index>(std::max(taken / 512, wanted), 1,
                                std::min(ranges_at_most, 2 * kPieces / pieces_));
  }

  void learn(const float* x, const float* dy, float* dw) const override {
    const Index count = static_cast<Index>(blocks_.size()), channels = s_.group_channels();
    float* sums = pieces_ > 1 ? thread_scratch(Scratch::kSums, pieces_ * size()) : nullptr;
    parallel(pieces_ * ranges_, [&](Index task) {
      const Index piece = task / ranges_, range = task % ranges_;
      const Block* blocks = blocks_.data();
      learn_piece(blocks + count * piece / pieces_, blocks + count * (piece + 1) / pieces_,
                  channels * range / ranges_, channels * (range + 1) / ranges_, x, dy,
                  sums == nullptr ? dw : sums + piece * size(), sums == nullptr);
    });
    if (sums == nullptr) return;
    parallel((size() + 4095) / 4096, [&](Index chunk) {
      for (Index i = chunk * 4096; i < std::min(size(), (chunk + 1) * 4096); ++i) {
        float sum = 0;
        for (Index piece = 0; piece < pieces_; ++piece) sum += sums[piece * size() + i];
        dw[i] += sum;
      }
    });
  }

 protected:
  // Sums over the blocks for these channels, written or added to dw.
  virtual void learn_piece(const Block* first, const Block* last, Index channel, Index end,
                           const float* x, const float* dy, float* dw, bool add) const = 0;

  static constexpr Index kLearned = 512;  // places per block

  Index size() const { return s_.group_outputs() * s_.group_channels() * s_.taps(); }

  ConvolutionShape s_;
  Gather gather_;
  std::vector<Block> blocks_;

 private:
  static constexpr Index kPieces = 8, kShared = 4;

  Index pieces_, ranges_;
};

class PlainLearn final : public LearnInPieces {
 public:
  explicit PlainLearn(const ConvolutionShape& s) : LearnInPieces(s, s.group_channels()) {}

 protected:
  void learn_piece(const Block* first, const Block* last, Index channel, Index end, const float* x,
                   const float* dy, float* dw, bool add) const override {
    const Index depth = s_.group_channels() * s_.taps();
    for (const Block* block = first; block != last; ++block)
      learn_block(*block, dy, x + channel * s_.plane(), end - channel, s_.group_outputs(),
                  dw + channel * s_.taps(), depth, !add && block == first);
  }

 private:
  static constexpr Index kWhole = 128;  // places of an image
  // Rows of dy are read where they are if a tile has few: more fall into the same lines of a cache.
  static constexpr bool kLoose = kRows <= 8;

  void learn_block(const Block& block, const float* dy, const float* x, Index channels, Index rows,
                   float* dw, Index dw_stride, bool first) const {
    const Index count = gather_.count(block), taps = channels * gather_.taps();
    const Index padded = (count + kLanes - 1) / kLanes * kLanes;
    const Panels panels(rows);
    // Of smaller planes more vectors would be left over, and sums would be short.
    const bool whole = block.images == 1 || gather_.places() >= kWhole;
    const bool plane = whole && gather_.is_plane(), loose = whole && kLoose;
    float* copied =
        plane ? nullptr : thread_scratch(Scratch::kImage, gather_.copy_size(block, channels));
    float* lines = thread_scratch(Scratch::kStrips, kColumns * (padded + kLanes));
    float* strip = thread_scratch(Scratch::kTiles, padded * kColumns);
    float* packed = loose ? nullptr : thread_scratch(Scratch::kGradient, panels.size(count));
    if (!plane) gather_.copy(x, s_.x_stride(), channels, block, copied);
    if (!loose) pack_gradient(block, dy, panels, packed);
    thread_local std::vector<Index> offsets;
    thread_local std::vector<Segment> segments;
    thread_local std::vector<Move> moves;
    gather_.offsets(channels, block, offsets);
    gather_.segments(block, channels, 0, count, segments);
    moves_of(segments, moves);
    alignas(64) float tile[kRows * kColumns];
    for (Index k = 0; k < taps; k += kColumns) {
      const Index here = std::min(kColumns, taps - k);
      if (plane) {
        const Index image = block.rows * gather_.columns();
        const float* from = x + block.row * gather_.columns() + k * s_.plane();
        for (Index n = 0; n < block.images; ++n)
          pack_transposed(from + (block.image + n) * s_.x_stride(), s_.plane(), here, image,
                          strip + n * image * kColumns);
      } else {
        copy_rows(copied, offsets.data() + k, here, moves, lines, padded);
        pack_transposed(lines, padded, here, count, strip);
      }
      for (Index p = 0; p < panels.count; ++p) {
        if (loose)
          multiply_gradient(block, dy, panels, p, strip, tile);
        else
          multiply_panels(panels.height(p), kColumns, count, packed + Panels::offset(p, count),
                          strip, tile, false);
        for (Index r = 0; r < panels.height(p); ++r)
          add_row(tile + r * kColumns, here, dw + (panels.first(p) + r) * dw_stride + k, first);
      }
    }
  }

  static void add_row(const float* from, Index count, float* to, bool first) {
    for (Index i = 0; i < count; i += kLanes) {
      const Index here = std::min(kLanes, count - i);
      const Vec value = load(from + i);
      store_some(to + i, first ? value : value + load_some(to + i, here), here);
    }
  }

  // Row r of dy at the places of a block, from image n of it on.
  const float* gradient(const Block& block, const float* dy, Index n, Index r) const {
    return dy + (block.image + n) * s_.y_stride() + r * s_.places() +
           block.row * gather_.columns();
  }

  // The rows of a panel, as they lie in memory, times a strip.
  void multiply_gradient(const Block& block, const float* dy, const Panels& panels, Index p,
                         const float* strip, float* tile) const {
    const Index image = block.rows * gather_.columns();
    for (Index n = 0; n < block.images; ++n)
      multiply_rows(panels.height(p), image, gradient(block, dy, n, panels.first(p)), s_.places(),
                    strip + n * image * kColumns, tile, n > 0);
  }

  // The rows of all panels, packed.
  void pack_gradient(const Block& block, const float* dy, const Panels& panels,
                     float* packed) const {
    const Index image = block.rows * gather_.columns(), count = gather_.count(block);
    for (Index p = 0; p < panels.count; ++p)
      for (Index n = 0; n < block.images; ++n)
        pack_rows(gradient(block, dy, n, panels.first(p)), s_.places(), panels.height(p), image,
                  packed + Panels::offset(p, count) + n * image * panels.height(p));
  }
};

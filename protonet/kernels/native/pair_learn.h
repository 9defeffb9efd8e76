// The gradient of the weights of a convolution in bfloat16.
#pragma once

#include "pairs.h"

#if defined(__AVX512F__)

#include <vector>

#include "convolution_way.h"
#include "gather.h"
#include "pool.h"

// Pairs are of adjacent places. Of each block, A is the values under the taps, a row for each tap
// of each channel, and B is dy, a column for each output: the sums are the transposed gradient.
class PairLearn {
 public:
  explicit PairLearn(const ConvolutionShape& s)
      : s_(s), gather_(s.gather()), blocks_(gather_.blocks(s.images, kLearned)),
        rows_((depth() + kPairRows - 1) / kPairRows),
        columns_((s.group_outputs() + kPairColumns - 1) / kPairColumns) {
    for (const Block& block : blocks_) kinds_.push_back(kind_of(block));
    const Index count = static_cast<Index>(blocks_.size());
    pieces_ = std::clamp<Index>(std::min(count, (1 << 20) / size()), 1, kPieces);
  }

  // dw += the products, summed over images and places.
  void learn(const Bf16* x, const Bf16* dy, float* dw) const {
    const Index count = static_cast<Index>(blocks_.size());
    if (count == 0) return;
    float* sums = thread_scratch(Scratch::kSums, static_cast<std::size_t>(pieces_ * size()));
    if (pieces_ == 1)
      for (Index b = 0; b < count; ++b) learn_block(b, x, dy, sums, b > 0, true);
    else
      parallel(pieces_, [&](Index piece) {
        const Index first = count * piece / pieces_, last = count * (piece + 1) / pieces_;
        for (Index b = first; b < last; ++b)
          learn_block(b, x, dy, sums + piece * size(), b > first, false);
      });
    parallel(columns_, [&](Index column) {
      for (Index row = 0; row < rows_; ++row) add_tile(sums, row, column, dw);
    });
  }

 private:
  static constexpr Index kLearned = 512;  // places per block
  static constexpr Index kPieces = 8;

  struct Kind {
    Index images, rows;
    std::vector<Index> offsets;
    std::vector<Move> moves;
  };

  Index depth() const { return s_.group_channels() * s_.taps(); }
  Index size() const { return rows_ * columns_ * kPairSums; }

  std::size_t kind_of(const Block& block) {
    for (std::size_t k = 0; k < known_.size(); ++k)
      if (known_[k].images == block.images && known_[k].rows == block.rows) return k;
    Kind kind{block.images, block.rows, {}, {}};
    gather_.offsets(s_.group_channels(), block, kind.offsets);
    std::vector<Segment> segments;
    gather_.segments(block, s_.group_channels(), 0, gather_.count(block), segments);
    moves_of(segments, kind.moves, 2 * kLanes);
    known_.push_back(std::move(kind));
    return known_.size() - 1;
  }

  // One loop of the parts of a block; on all threads, or in this one.
  template <class F>
  static void divide(Index count, bool shared, F&& body) {
    if (shared) return parallel(count, body);
    for (Index i = 0; i < count; ++i) body(i);
  }

  template <class T>
  static T* values(Scratch which, Index count) {
    const Index floats = (count * static_cast<Index>(sizeof(T)) + 3) / 4;
    return reinterpret_cast<T*>(thread_scratch(which, static_cast<std::size_t>(floats)));
  }

  void learn_block(Index number, const Bf16* x, const Bf16* dy, float* sums, bool go_on,
                   bool shared) const {
    const Block& block = blocks_[number];
    const Kind& kind = known_[kinds_[number]];
    const Index count = gather_.count(block), channels = s_.group_channels();
    const Index steps = (count + 2 * kPairStep - 1) / (2 * kPairStep);
    const Index panel = steps * kPairStep * kPairColumns;
    Pair* packed = values<Pair>(Scratch::kGradient, columns_ * panel);
    divide(2 * columns_, shared,
           [&](Index half) { pack_gradient(block, dy, half, steps, packed); });
    Bf16* copied = values<Bf16>(Scratch::kImage, gather_.copy_size(block, channels));
    gather_.copy(x, s_.x_stride(), channels, block, copied);
    divide(rows_, shared, [&](Index row) {
      const Index line = 2 * steps * kPairStep, first = row * kPairRows;
      const Index here = std::min(kPairRows, depth() - first);
      Bf16* lines = values<Bf16>(Scratch::kStrips, kPairRows * line + 2 * kLanes);
      copy_rows(copied, kind.offsets.data() + first, here, kind.moves, lines, line);
      for (Index r = 0; r < here; ++r)
        std::fill(lines + r * line + count, lines + (r + 1) * line, Bf16{});
      const PairUnit unit;
      for (Index column = 0; column < columns_; ++column)
        unit.multiply({reinterpret_cast<const Pair*>(lines), line / 2, kPairSide * line / 2,
                       kPairStep, packed + column * panel, steps, here > kPairSide,
                       s_.group_outputs() - column * kPairColumns > kPairSide,
                       sums + (row * columns_ + column) * kPairSums, go_on});
    });
  }

  // 16 outputs of dy at the places of a block, as half of a panel of B.
  void pack_gradient(const Block& block, const Bf16* dy, Index half, Index steps,
                     Pair* packed) const {
    const Index image = block.rows * gather_.columns(), line = 2 * steps * kPairStep;
    const Index first = half * kPairSide;
    const Index outputs = std::clamp<Index>(s_.group_outputs() - first, 0, kPairSide);
    if (outputs == 0) return;
    Bf16* lines = values<Bf16>(Scratch::kTiles, kPairSide * line);
    for (Index r = 0; r < outputs; ++r) {
      const Bf16* from = dy + block.image * s_.y_stride() + (first + r) * s_.places() +
                         block.row * gather_.columns();
      Bf16* to = lines + r * line;
      for (Index n = 0; n < block.images; ++n, from += s_.y_stride(), to += image)
        std::memcpy(to, from, static_cast<std::size_t>(image) * sizeof(Bf16));
      std::fill(to, lines + (r + 1) * line, Bf16{});
    }
    Pair* to = packed + half / 2 * steps * kPairStep * kPairColumns + half % 2 * kPairSide;
    for (Index s = 0; s < steps; ++s, to += kPairStep * kPairColumns) {
      Vec square[kLanes];
      for (Index r = 0; r < kPairSide; ++r)
        square[r] = r < outputs ? load(reinterpret_cast<const float*>(lines + r * line) +
                                       s * kPairStep)
                                : Vec{};
      transpose(square);
      for (Index k = 0; k < kPairStep; ++k)
        store(reinterpret_cast<float*>(to + k * kPairColumns), square[k]);
    }
  }

  // Adds the sums of all pieces, transposed.
  void add_tile(const float* sums, Index row, Index column, float* dw) const {
    sums += (row * columns_ + column) * kPairSums;
    for (Index quarter = 0; quarter < 4; ++quarter) {
      const Index r = quarter / 2 * kPairSide, c = quarter % 2 * kPairSide;
      const Index k = row * kPairRows + r, m = column * kPairColumns + c;
      const Index taps = std::min(kPairSide, depth() - k);
      const Index outputs = std::min(kPairSide, s_.group_outputs() - m);
      if (taps <= 0 || outputs <= 0) continue;
      Vec square[kLanes];
      for (Index i = 0; i < kPairSide; ++i) {
        square[i] = load(sums + (r + i) * kPairColumns + c);
        for (Index piece = 1; piece < pieces_; ++piece)
          square[i] += load(sums + piece * size() + (r + i) * kPairColumns + c);
      }
      transpose(square);
      for (Index i = 0; i < outputs; ++i) {
        float* to = dw + (m + i) * depth() + k;
        store_some(to, load_some(to, taps) + square[i], taps);
      }
    }
  }

  ConvolutionShape s_;
  Gather gather_;
  std::vector<Block> blocks_;
  std::vector<std::size_t> kinds_;
  std::vector<Kind> known_;
  Index rows_, columns_;  // of panels
  Index pieces_;
};

#endif

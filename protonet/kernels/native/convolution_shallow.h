// Convolution with few channels, as in the first layer of a net: no packing.
//
// With few rows, or few columns, packing the panels would take longer than multiplying them.
// Instead, the columns that each tap reads are copied once, into rows as long as those of the
// output. Each tap then reads one contiguous run of memory for all places, and vectors run along
// places.
#pragma once

#include <algorithm>
#include <vector>

#include "convolution_plain.h"
#include "convolution_way.h"
#include "edges.h"
#include "pool.h"

class Shallow final : public Way, public LearnInPieces {
 public:
  explicit Shallow(const ConvolutionShape& s)
      : LearnInPieces(s, 1), channels_(s.group_channels()), outputs_(s.group_outputs()),
        kernel_(s.kernel), stride_(s.stride), dilation_(s.dilation) {
    for (const Block& block : blocks_)
      if (find_kind(block) == kinds_.end()) kinds_.push_back(make_kind(block));
  }

  // Whether the copies pay off, for the weight gradient too.
  static bool pays(const ConvolutionShape& s) {
    const Index channels = s.group_channels(), outputs = s.group_outputs(), taps = s.taps();
    return channels <= 4 && taps > 1 && outputs >= 8 && channels * taps * outputs <= 10240;
  }

  void run(const float* x, const float* w, float* y, const Epilogue& epilogue) const override {
    const Index x_stride = s_.x_stride(), y_stride = s_.y_stride();
    const Panels panels(outputs_);
    float* packed = thread_scratch(Scratch::kWeights, panels.size(depth()));
    for (Index p = 0; p < panels.count; ++p)
      pack_rows(w + panels.first(p) * depth(), depth(), panels.height(p), depth(),
                packed + Panels::offset(p, depth()));
    // With so few blocks that threads would be idle, they are split by outputs too; each part
    // copies again.
    const Index blocks = static_cast<Index>(blocks_.size());
    const Index parts = blocks < threads() ? std::min<Index>(threads(), panels.count) : 1;
    parallel(blocks * parts, [&](Index task) {
      const Index part = task % parts;
      each_image(blocks_[task / parts], [&](const Block& block) {
        const Kind& kind = *find_kind(block);
        const float* lines = copy(block, kind, x, x_stride);
        float* to = y + block.image * y_stride + block.row * gather_.columns();
        const Index count = gather_.count(block);
        for (Index p = panels.count * part / parts; p < panels.count * (part + 1) / parts; ++p)
          with_count<kRows>(panels.height(p), [&]<Index R>() {
            run_panel<R>(packed + Panels::offset(p, depth()), lines, kind.offsets.data(), count,
                         to + panels.first(p) * gather_.places(),
                         epilogue.from(panels.first(p)));
          });
      });
    });
  }

 protected:
  void learn_piece(const Block* first, const Block* last, Index, Index, const float* x,
                   const float* dy, float* dw, bool add) const override {
    const Index x_stride = s_.x_stride(), dy_stride = s_.y_stride();
    const Index size = outputs_ * depth();
    Vec* sums = reinterpret_cast<Vec*>(thread_scratch(Scratch::kGradient, size * kLanes));
    std::fill(sums, sums + size, Vec{});
    for (; first != last; ++first)
      each_image(*first, [&](const Block& block) {
        const Kind& kind = *find_kind(block);
        learn_image(copy(block, kind, x, x_stride), kind.offsets.data(), gather_.count(block),
                    dy + block.image * dy_stride + block.row * gather_.columns(), sums);
      });
    for (Index i = 0; i < size; ++i) dw[i] = (add ? dw[i] : 0.0f) + fold(sums[i]);
  }

 private:
  // Outputs and taps whose weight gradients are accumulated in registers.
#if defined(__AVX512F__)
  static constexpr Index kLearnOutputs = 5, kLearnTaps = 5;
#else
  static constexpr Index kLearnOutputs = 4, kLearnTaps = 3;
#endif

  Index depth() const { return channels_ * gather_.taps(); }

  // What blocks with equally many rows share: the offsets of the columns that taps read in a copied
  // image, and the offset of each tap in the lines.
  struct Kind {
    Index rows;
    std::vector<Index> columns, offsets;
  };

  std::vector<Kind>::const_iterator find_kind(const Block& block) const {
    return std::find_if(kinds_.begin(), kinds_.end(),
                        [&](const Kind& kind) { return kind.rows == block.rows; });
  }

  Kind make_kind(const Block& block) const {
    Kind kind{block.rows, {}, {}};
    std::vector<Index> reads;
    gather_.offsets(channels_, {0, 1, 0, block.rows}, reads);
    const Index rows = gather_.source_rows(block), width = gather_.columns();
    for (Index c = 0; c < channels_; ++c)
      for (Index i = 0; i < kernel_.y; ++i)
        for (Index j = 0; j < kernel_.x; ++j) {
          if (i == 0) kind.columns.push_back(reads[c * gather_.taps() + j]);
          const Index down = i * dilation_.y, first = down % stride_.y;
          // Rows of smaller remainders come first.
          const Index before = first * (rows / stride_.y) + std::min(first, rows % stride_.y);
          kind.offsets.push_back(((c * kernel_.x + j) * rows + before + down / stride_.y) * width);
        }
    return kind;
  }

  template <class F>
  static void each_image(Block block, F&& body) {
    for (Index n = 0; n < block.images; ++n) body(Block{block.image + n, 1, block.row, block.rows});
  }

  // Calls body with the count, at most N, as a compile-time constant.
  template <Index N, class F>
  static void with_count(Index count, F&& body) {
    if constexpr (N > 1)
      if (count < N) return with_count<N - 1>(count, body);
    body.template operator()<N>();
  }

  // What the taps of a block read in one image: lines[channel][column of the kernel][row][place],
  // with rows of equal remainder modulo the stride next to each other.
  const float* copy(const Block& block, const Kind& kind, const float* x, Index x_stride) const {
    const Index rows = gather_.source_rows(block);
    float* image = thread_scratch(Scratch::kImage, gather_.copy_size(block, channels_));
    float* lines =
        thread_scratch(Scratch::kStrips, channels_ * kernel_.x * rows * gather_.columns());
    gather_.copy(x, x_stride, channels_, block, image);
    float* to = lines;
    for (const Index column : kind.columns)
      for (Index first = 0; first < std::min(stride_.y, rows); ++first)
        for (Index r = first; r < rows; r += stride_.y, to += gather_.columns())
          copy_line(image + column + r * gather_.row_size(), to);
    return lines;
  }

  // Writes past the end of a row are overwritten by the next row, or fall into the padding after
  // the lines.
  void copy_line(const float* from, float* to) const {
    for (Index i = 0; i < gather_.columns(); i += kLanes) store(to + i, load(from + i));
  }

  template <Index R>
  void run_panel(const float* a, const float* lines, const Index* offsets, Index count, float* y,
                 const Epilogue& epilogue) const {
    // Without a factor, sums begin with the bias, which saves a rounding.
    const float* first = epilogue.factor == nullptr ? epilogue.bias : nullptr;
    const float* last = epilogue.factor == nullptr ? nullptr : epilogue.bias;
    for (Index p = 0; p < count; p += kColumns) {
      Vec sums[R][kVectors];
      for (Index r = 0; r < R; ++r)
        for (Index v = 0; v < kVectors; ++v)
          sums[r][v] = splat(first != nullptr ? first[r] : 0.0f);
      for (Index k = 0; k < depth(); ++k) {
        const float* from = lines + offsets[k] + p;
        Vec values[kVectors];
#pragma GCC unroll 4
        for (Index v = 0; v < kVectors; ++v) values[v] = load(from + v * kLanes);
#pragma GCC unroll 16
        for (Index r = 0; r < R; ++r) {
          const Vec factor = splat(a[k * R + r]);
#pragma GCC unroll 4
          for (Index v = 0; v < kVectors; ++v) sums[r][v] += factor * values[v];
        }
      }
#pragma GCC unroll 16
      for (Index r = 0; r < R; ++r) {
        const Vec factor = splat(epilogue.factor != nullptr ? epilogue.factor[r] : 1.0f);
        const Vec bias = splat(last != nullptr ? last[r] : 0.0f);
        float* to = y + r * gather_.places() + p;
#pragma GCC unroll 4
        for (Index v = 0; v < kVectors; ++v) {
          const Index here = std::clamp<Index>(count - p - v * kLanes, 0, kLanes);
          const Vec total = sums[r][v] * factor + bias;
          store_first(to + v * kLanes, epilogue.finish(total, to + v * kLanes, here), here);
        }
      }
    }
  }

  // sums[output][tap] += products over places, lane by lane.
  void learn_image(const float* lines, const Index* offsets, Index count, const float* dy,
                   Vec* sums) const {
    const Index rows = (outputs_ + kLearnOutputs - 1) / kLearnOutputs;
    const Index columns = (depth() + kLearnTaps - 1) / kLearnTaps;
    for (Index i = 0; i < rows; ++i) {
      const Index m = outputs_ * i / rows;
      with_count<kLearnOutputs>(outputs_ * (i + 1) / rows - m, [&]<Index R>() {
        for (Index j = 0; j < columns; ++j) {
          const Index t = depth() * j / columns;
          with_count<kLearnTaps>(depth() * (j + 1) / columns - t, [&]<Index C>() {
            learn_tile<R, C>(lines, offsets + t, count, dy + m * gather_.places(),
                             sums + m * depth() + t);
          });
        }
      });
    }
  }

  template <Index R, Index C>
  void learn_tile(const float* lines, const Index* offsets, Index count, const float* dy,
                  Vec* to) const {
    const float* taps[C];
    for (Index c = 0; c < C; ++c) taps[c] = lines + offsets[c];
    Vec sums[R][C];
    for (Index r = 0; r < R; ++r)
      for (Index c = 0; c < C; ++c) sums[r][c] = Vec{};
    const auto step = [&](auto take) {
      Vec values[C];
#pragma GCC unroll 8
      for (Index c = 0; c < C; ++c) values[c] = take(taps[c]);
#pragma GCC unroll 8
      for (Index r = 0; r < R; ++r) {
        const Vec factor = take(dy + r * gather_.places());
#pragma GCC unroll 8
        for (Index c = 0; c < C; ++c) sums[r][c] += factor * values[c];
      }
    };
    Index p = 0;
    for (; p + kLanes <= count; p += kLanes)
      step([p](const float* from) { return load(from + p); });
    if (p < count)
      step([p, left = count - p](const float* from) { return load_some(from + p, left); });
    for (Index r = 0; r < R; ++r)
      for (Index c = 0; c < C; ++c) to[r * depth() + c] += sums[r][c];
  }

  Index channels_, outputs_;
  Tap kernel_, stride_, dilation_;
  std::vector<Kind> kinds_;
};

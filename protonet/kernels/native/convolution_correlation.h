// One correlation of a convolution: rows of weights times the windows of images.
#pragma once

#include <vector>

#include "epilogue.h"
#include "gather.h"
#include "pool.h"

// y[row][place] = sum over channels and taps of a[row][channel, tap] * source, for one group.
class Correlation {
 public:
  // The result is written to r * out_step.y + out_first.y, c * out_step.x + out_first.x of planes
  // of out_height x out_width, with an image stride of out_stride.
  Correlation(Gather gather, Index images, Index channels, Index out_height, Index out_width,
              Index out_stride, Tap out_first, Tap out_step)
      : gather_(std::move(gather)), channels_(channels),
        planes_{out_height, out_width, out_stride, out_first, out_step},
        blocks_(gather_.blocks(images, kBlock)) {
    for (const Block& block : blocks_) kinds_.push_back(kind_of(block));
  }

  Index depth() const { return channels_ * gather_.taps(); }

  // An estimate in cycles of a vector unit, for `rows` rows of A.
  static double cycles(double places, double rows, double depth) {
    return places * rows * depth / kProducts;
  }

  // Whether there are so few blocks that packing rows of A on the fly is better.
  bool takes_rows() const { return blocks_.size() <= 2; }

  // `a` is packed in panels or, with `plain`, row-major; x_stride is the image stride of x.
  void run(const float* a, bool plain, Index rows, const float* x, Index x_stride, float* y,
           const Epilogue& epilogue) const {
    const Panels panels(rows);
    const Index blocks = static_cast<Index>(blocks_.size());
    // Few blocks (one small image) are split by rows of A too, to keep all threads busy; each part
    // packs the block again.
    const Index parts = parts_of(blocks, panels.count);
    parallel(blocks * parts, [&](Index task) {
      const Index part = task % parts;
      run_block(a, plain, panels, panels.count * part / parts, panels.count * (part + 1) / parts,
                task / parts, x, x_stride, y, epilogue);
    });
  }

 private:
  static constexpr Index kBlock = 256;  // places per task
  static constexpr Index kDepth = 512;  // of a packed block of B, so that it stays in the L2 cache

  // What blocks of equal extents share: the tap offsets of their places, and the offsets of their
  // results in y, from the first place of the block on.
  struct Kind {
    Index images, rows;
    std::vector<Index> offsets;
    std::vector<std::vector<Move>> reads;
    std::vector<std::vector<Segment>> writes;
  };

  std::size_t kind_of(const Block& block) {
    for (std::size_t k = 0; k < known_.size(); ++k)
      if (known_[k].images == block.images && known_[k].rows == block.rows) return k;
    Kind kind{block.images, block.rows, {}, {}, {}};
    gather_.offsets(channels_, block, kind.offsets);
    const Strips strips(gather_.count(block));
    std::vector<Segment> segments;
    for (Index s = 0; s < strips.strips; ++s) {
      gather_.segments(block, channels_, s * kColumns, strips.columns(s), segments);
      moves_of(segments, kind.reads.emplace_back());
      planes_.segments(gather_, block, s * kColumns, strips.columns(s), kind.writes.emplace_back());
    }
    known_.push_back(std::move(kind));
    return known_.size() - 1;
  }

  void run_block(const float* a, bool plain, const Panels& panels, Index first, Index last,
                 Index number, const float* x, Index x_stride, float* y,
                 const Epilogue& epilogue) const {
    const Block& block = blocks_[number];
    const Kind& kind = known_[kinds_[number]];
    const Index depth = this->depth(), height = last - first;
    const Strips strips(gather_.count(block));
    float* copied = thread_scratch(Scratch::kImage, gather_.copy_size(block, channels_));
    float* packed =
        thread_scratch(Scratch::kStrips, strips.strips * std::min(depth, kDepth) * kColumns);
    float* tiles = thread_scratch(Scratch::kTiles, strips.strips * height * kRows * kColumns);
    float* own = plain ? thread_scratch(Scratch::kWeights, kRows * kDepth + kLanes) : nullptr;
    gather_.copy(x, x_stride, channels_, block, copied);
    y += planes_.start(block);
    for (Index k = 0; k < depth; k += kDepth) {
      const Index here = std::min(kDepth, depth - k);
      for (Index s = 0; s < strips.strips; ++s)
        copy_rows(copied, kind.offsets.data() + k, here, kind.reads[s],
                  packed + s * here * kColumns, strips.width(s));
      for (Index p = 0; p < height; ++p) {
        const Index rows = panels.height(first + p);
        const float* panel = plain ? own : a + Panels::offset(first + p, depth) + k * rows;
        if (plain) pack_rows(a + panels.first(first + p) * depth + k, depth, rows, here, own);
        for (Index s = 0; s < strips.strips; ++s) {
          const Index width = strips.width(s);
          float* tile = tiles + (p * strips.strips + s) * kRows * kColumns;
          multiply_panels(rows, width, here, panel, packed + s * here * kColumns, tile, k > 0);
          if (k + here < depth) continue;
          for (Index r = 0; r < rows; ++r)
            finish(tile + r * width, panels.first(first + p) + r, kind.writes[s], y, epilogue);
        }
      }
    }
  }

  void finish(const float* sums, Index row, const std::vector<Segment>& segments, float* y,
              const Epilogue& epilogue) const {
    const Vec factor = splat(epilogue.factor != nullptr ? epilogue.factor[row] : 1.0f);
    const Vec bias = splat(epilogue.bias != nullptr ? epilogue.bias[row] : 0.0f);
    for (const Segment& segment : segments) {
      float* to = y + segment.at + row * planes_.size();
      for (Index i = 0; i < segment.length; i += kLanes) {
        const Index here = std::min(kLanes, segment.length - i);
        const Vec total = load(sums + segment.column + i) * factor + bias;
        if (planes_.step.x != 1) {  // of a backward pass, which has no addend
          for (Index j = 0; j < here; ++j) to[(i + j) * planes_.step.x] = total[j];
          continue;
        }
        const Vec value = epilogue.finish(total, to + i, here);
        if (here == kLanes) {
          store(to + i, value);
        } else {
          store_some(to + i, value, here);
        }
      }
    }
  }

  Gather gather_;
  Index channels_;
  ResultPlanes planes_;
  std::vector<Block> blocks_;
  std::vector<std::size_t> kinds_;  // for each block
  std::vector<Kind> known_;
};

// Direct convolution over pixels, the channels of a place adjacent, with weights that are packed.
//
// Vectors run along outputs, and windows are the rows of a panel: each value under a window meets
// packed weights of kColumns outputs. Windows of a row of the result are a fixed distance apart, and
// what lies under a row of taps is adjacent, so that images are read where they are; only padding,
// planes, and distances that fall into the same lines of a cache need a copy.
#pragma once

#include <algorithm>
#include <vector>

#include "convolution_way.h"
#include "gemm.h"
#include "pixel_arrange.h"
#include "pixel_panels.h"
#include "pool.h"

#if defined(__AVX512F__)

class PixelRows final : public PixelWay {
  // Rows of the result of an image; or, where windows are single pixels, places of all images.
  struct Block {
    Index image, first, count;
  };

 public:
  // `planes`: images come as planes, and leave as pixels all the same.
  PixelRows(const ConvolutionShape& s, bool planes)
      : s_(s), planes_(planes), strips_(s.group_outputs()),
        depth_(s.taps() * s.group_channels()),
        flat_(s.taps() == 1 && s.stride.y == 1 && s.stride.x == 1 && s.pad.y == 0 && s.pad.x == 0 &&
              !planes) {
    const bool collides = s.stride.x * s.channels % kApart == 0;
    copies_ = planes || collides || s.pad.y > 0 || s.pad.x > 0;
    pixel_ = !copies_ ? s.channels : s.group_channels() + (collides ? kLanes : 0);
    row_ = (s.width + (copies_ ? 2 * s.pad.x : 0)) * pixel_;
    find_pieces();
    divide();
    parts_ = parts_of(static_cast<Index>(blocks_.size()), strips_.strips);
  }

  Index packed_size() const override { return strips_.strips * kColumns * depth_; }

  // The channels of a tap are adjacent, as they are in images.
  void pack(const float* w, float* to) const override {
    const Index taps = s_.taps(), channels = s_.group_channels();
    parallel(strips_.strips, [&](Index s) {
      const Index width = strips_.width(s);
      float* at = to + s * kColumns * depth_;
      const float* from = w + s * kColumns * depth_;
      if (taps == 1) return pack_transposed(from, depth_, strips_.columns(s), depth_, at, width);
      float* by_tap = thread_scratch(Scratch::kStrips, width * depth_);
      pack_transposed(from, depth_, strips_.columns(s), depth_, by_tap, width);
      for (Index tap = 0; tap < taps; ++tap)
        for (Index c = 0; c < channels; ++c, at += width)
          std::copy_n(by_tap + (c * taps + tap) * width, width, at);
    });
  }

  void run_packed(const float* x, const float* packed, float* y,
                  const Epilogue& epilogue) const override {
    parallel(static_cast<Index>(blocks_.size()) * parts_, [&](Index task) {
      const Index part = task % parts_;
      run_block(blocks_[task / parts_], x, packed, strips_.strips * part / parts_,
                strips_.strips * (part + 1) / parts_, y, epilogue);
    });
  }

  void run_rows(const float* x, Index first, Index count, const float* packed, float* y,
                const Epilogue& epilogue) const override {
    const Index unit = flat_ ? s_.out.x : 1;
    const Block block{0, first * unit, count * unit};
    run_from(source(block, x), {0, 0, count * unit}, packed, 0, strips_.strips, y, epilogue);
  }

  // Of single pixels: `count` places, which are at `from`, `stride()` floats apart, from place
  // `first` of the result on.
  void run_places(const float* from, Index first, Index count, const float* packed, float* y,
                  const Epilogue& epilogue) const {
    run_from(from, {0, first, count}, packed, 0, strips_.strips, y, epilogue);
  }
  Index stride() const { return pixel_; }

 private:
  static constexpr Index kBlock = 1 << 16;  // values under a block, which stay in the L2 cache
  // Values apart at which a panel of windows would fall into too few lines of the L1 cache.
  static constexpr Index kApart = 512;

  void find_pieces() {
    const bool merges = s_.dilation.x == 1 && pixel_ == s_.group_channels();
    const Index length = merges ? s_.kernel.x * pixel_ : s_.group_channels();
    Index summed = 0;
    for (Index i = 0; i < s_.kernel.y; ++i)
      for (Index j = 0; j < (merges ? 1 : s_.kernel.x); ++j)
        for (Index done = 0, here = 0; done < length; done += here) {
          here = std::min(length - done, kSummed - summed);
          summed = (summed + here) % kSummed;
          const Index at = i * s_.dilation.y * row_ + j * s_.dilation.x * pixel_ + done;
          pieces_.push_back({at, here, summed == 0});
        }
    pieces_.back().ends = true;
  }

  // Threads divide images where these are large beside the weights, and outputs where they are not.
  void divide() {
    const Index images = flat_ ? 1 : s_.images;
    const Index lines = flat_ ? s_.images * s_.places() : s_.out.y;
    const Index line = flat_ ? s_.channels : s_.stride.y * row_;
    Index count = std::max<Index>(1, lines * line / kBlock);
    const bool heavy = packed_size() > images * lines * line;
    if (!heavy) count = std::max(count, (4 * threads() + images - 1) / images);
    count = std::min(count, flat_ ? (lines + kRows - 1) / kRows : lines);
    for (Index n = 0; n < images; ++n)
      for (Index b = 0; b < count; ++b) {
        const Index first = lines * b / count;
        blocks_.push_back({n, first, lines * (b + 1) / count - first});
      }
  }

  void run_block(const Block& block, const float* x, const float* packed, Index first, Index last,
                 float* y, const Epilogue& epilogue) const {
    run_from(source(block, x), block, packed, first, last, y, epilogue);
  }

  void run_from(const float* from, const Block& block, const float* packed, Index first, Index last,
                float* y, const Epilogue& epilogue) const {
    alignas(64) float tile[kRows * kColumns];
    const Panels panels(flat_ ? block.count : s_.out.x);
    const Index rows = flat_ ? 1 : block.count, parts = rows * panels.count;
    const Index out = flat_ ? block.first : block.image * s_.places() + block.first * s_.out.x;
    for (Index s = first; s < last; ++s) {
      const PixelPanel results(epilogue, s * kColumns, strips_.columns(s));
      for (Index r = 0; r < rows; ++r)
        for (Index p = 0; p < panels.count; ++p) {
          const Index height = panels.height(p), place = panels.first(p);
          // What the next panel reads, which may be in memory; later, weights of the next strip, a
          // part in each of the panels.
          const float* ahead =
              s == first && flat_
                  ? from + (place + height) * pixel_
                  : packed + ((s + 1) * parts + r * panels.count + p) * kColumns * depth_ / parts;
          multiply_pixels(height, strips_.width(s), pieces_,
                          from + r * s_.stride.y * row_ + place * s_.stride.x * pixel_,
                          s_.stride.x * pixel_, packed + s * kColumns * depth_, tile, ahead, results,
                          y + (out + r * s_.out.x + place) * epilogue.pixel + s * kColumns);
        }
    }
    if (epilogue.streams) end_streams();
  }

  // The first window of a block.
  const float* source(const Block& block, const float* x) const {
    if (flat_) return copies_ ? copy_places(block, x) : x + block.first * s_.channels;
    const float* image = x + block.image * s_.x_stride();
    return copies_ ? copy_rows(block, image) : image + block.first * s_.stride.y * row_;
  }

  const float* copy_places(const Block& block, const float* x) const {
    float* to = thread_scratch(Scratch::kImage, block.count * pixel_);
    for (Index p = 0; p < block.count; ++p)
      std::copy_n(x + (block.first + p) * s_.channels, s_.group_channels(), to + p * pixel_);
    return to;
  }

  const float* copy_rows(const Block& block, const float* image) const {
    const Index rows = (block.count - 1) * s_.stride.y + (s_.kernel.y - 1) * s_.dilation.y + 1;
    float* const copied = thread_scratch(Scratch::kImage, rows * row_);
    for (Index r = 0; r < rows; ++r) {
      const Index from = block.first * s_.stride.y + r - s_.pad.y;
      float* to = copied + r * row_;
      if (from < 0 || from >= s_.height) {
        std::fill_n(to, row_, 0.0f);
        continue;
      }
      std::fill_n(to, s_.pad.x * pixel_, 0.0f);
      copy_row(image, from, to + s_.pad.x * pixel_);
      std::fill_n(to + (s_.pad.x + s_.width) * pixel_, s_.pad.x * pixel_, 0.0f);
    }
    return copied;
  }

  void copy_row(const float* image, Index row, float* to) const {
    const Index channels = s_.group_channels();
    if (planes_) {
      planes_to_pixels(image + row * s_.width, s_.plane(), channels, s_.width, to, pixel_);
      return;
    }
    const float* from = image + row * s_.width * s_.channels;
    if (pixel_ == s_.channels) {
      std::copy_n(from, s_.width * pixel_, to);
      return;
    }
    for (Index i = 0; i < s_.width; ++i, from += s_.channels, to += pixel_)
      std::copy_n(from, channels, to);
  }

  ConvolutionShape s_;
  bool planes_;
  Strips strips_;
  Index depth_;
  bool flat_;             // windows are single pixels, one after the other
  bool copies_ = false;   // windows are read from copies
  Index pixel_ = 0, row_ = 0;  // floats from pixel to pixel and from row to row, as windows read them
  std::vector<PixelPiece> pieces_;
  std::vector<Block> blocks_;
  Index parts_ = 1;  // into which outputs are divided
};

#endif

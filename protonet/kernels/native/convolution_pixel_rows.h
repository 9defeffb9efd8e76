// Direct convolution over pixels, the channels of a place adjacent, with weights that are packed.
//
// Vectors run along outputs, and windows are the rows of a panel: each value under a window meets
// packed weights of kColumns outputs. Windows of a row of the result are a fixed distance apart, and
// what lies under a row of taps is adjacent, so that images are read where they are; only padding,
// planes, and distances that fall into the same lines of a cache need a copy.
//
// Of bfloat16, pairs of adjacent channels take the place of values: images are read as words, and a
// copy makes odd numbers of channels even.
#pragma once

#include <algorithm>
#include <vector>

#include "convolution_way.h"
#include "gemm.h"
#include "pixel_arrange.h"
#include "pixel_panels.h"
#include "pool.h"

#if defined(__AVX2__)

template <class T>
class PixelRows final : public PixelWayOf<T> {
  // Rows of the result of an image; or, where windows are single pixels, places of all images.
  struct Block {
    Index image, first, count;
  };

 public:
  using Word = typename Operand<T>::Word;

  // `planes`: images come as planes, and leave as pixels all the same.
  PixelRows(const ConvolutionShape& s, bool planes)
      : s_(s), planes_(planes), strips_(s.group_outputs()),
        words_((s.group_channels() + kValues - 1) / kValues), depth_(s.taps() * words_),
        group_(std::max<Index>(1, kGroup / (depth_ * kColumns))),
        flat_(s.has_single_places() && !planes) {
    const bool collides = s.stride.x * s.channels % (kApart * kValues) == 0;
    const bool odd = s.group_channels() % kValues != 0;
    copies_ = planes || collides || odd || s.pad.y > 0 || s.pad.x > 0;
    pixel_ = !copies_ ? s.channels / kValues : words_ + (collides ? kLanes : 0);
    row_ = (s.width + (copies_ ? 2 * s.pad.x : 0)) * pixel_;
    find_pieces();
    divide();
    parts_ = parts_of(static_cast<Index>(blocks_.size()), strips_.strips);
  }

  Index packed_size() const override { return strips_.strips * kColumns * depth_; }

  // The channels of a tap are adjacent, as they are in images.
  void pack(const float* w, Word* to) const override {
    const Index taps = s_.taps(), all = taps * s_.group_channels();
    parallel(strips_.strips, [&](Index s) {
      const Index width = strips_.width(s);
      Word* at = to + s * kColumns * depth_;
      const float* from = w + s * kColumns * all;
      if constexpr (kValues == 1)
        if (taps == 1) return pack_transposed(from, all, strips_.columns(s), all, at, width);
      float* by_tap = thread_scratch(Scratch::kStrips, width * all);
      pack_transposed(from, all, strips_.columns(s), all, by_tap, width);
      for (Index tap = 0; tap < taps; ++tap)
        for (Index c = 0; c < words_; ++c, at += width) pack_words(by_tap, c, tap, width, at);
    });
  }

  void run_packed(const T* x, const Word* packed, T* y,
                  const EpilogueOf<T>& epilogue) const override {
    parallel(static_cast<Index>(blocks_.size()) * parts_, [&](Index task) {
      const Index part = task % parts_;
      run_block(blocks_[task / parts_], x, packed, strips_.strips * part / parts_,
                strips_.strips * (part + 1) / parts_, y, epilogue);
    });
  }

  void run_rows(const T* x, Index first, Index count, const Word* packed, T* y,
                const EpilogueOf<T>& epilogue) const override {
    const Index unit = flat_ ? s_.out.x : 1;
    const Block block{0, first * unit, count * unit};
    run_from(source(block, x), {0, 0, count * unit}, packed, 0, strips_.strips, y, epilogue);
  }

  // Of single pixels: `count` places, which are at `from`, `stride()` values apart, from place
  // `first` of the result on.
  void run_places(const T* from, Index first, Index count, const Word* packed, T* y,
                  const EpilogueOf<T>& epilogue) const {
    run_from(words_of(from), {0, first, count}, packed, 0, strips_.strips, y, epilogue);
  }
  Index stride() const { return pixel_ * kValues; }

 private:
  static constexpr Index kValues = Operand<T>::kValues;
  static constexpr Index kBlock = kL2Cache / 16;  // words under a block, which stay in the L2 cache
  // Words apart at which a panel of windows would fall into too few lines of the L1 cache.
  static constexpr Index kApart = kRows > 8 ? 512 : 1024;

  // Weights of a group of strips, which stay in the L1 cache while panels pass.
  static constexpr Index kGroup = kAnyWindows ? 1 << 12 : 0;

  static const Word* words_of(const T* x) { return reinterpret_cast<const Word*>(x); }

  // Channel `c`, or a pair of them, of `width` outputs, from weights as they come.
  void pack_words(const float* from, Index c, Index tap, Index width, Word* to) const {
    const Index taps = s_.taps();
    if constexpr (kValues == 1) {
      std::copy_n(from + (c * taps + tap) * width, width, to);
    } else {
      const float* low = from + (2 * c * taps + tap) * width;
      const bool both = 2 * c + 1 < s_.group_channels();
      for (Index i = 0; i < width; ++i) {
        const Bf16 high = both ? narrow(low[taps * width + i]) : Bf16{};
        to[i] = narrow(low[i]).bits | std::uint32_t{high.bits} << 16;
      }
    }
  }

  void find_pieces() {
    const bool merges = s_.dilation.x == 1 && pixel_ == words_;
    const Index length = merges ? s_.kernel.x * pixel_ : words_;
    Index summed = 0;
    for (Index i = 0; i < s_.kernel.y; ++i)
      for (Index j = 0; j < (merges ? 1 : s_.kernel.x); ++j)
        for (Index done = 0, here = 0; done < length; done += here) {
          here = std::min(length - done, kSummed<T> - summed);
          summed = (summed + here) % kSummed<T>;
          const Index at = i * s_.dilation.y * row_ + j * s_.dilation.x * pixel_ + done;
          pieces_.push_back({at, here, summed == 0});
        }
    pieces_.back().ends = true;
  }

  // Threads divide images where these are large beside the weights, and outputs where they are not,
  // if there are enough of them.
  void divide() {
    const Index images = flat_ ? 1 : s_.images;
    const Index lines = flat_ ? s_.images * s_.places() : s_.out.y;
    const Index line = flat_ ? words_ * s_.groups : s_.stride.y * row_;
    Index count = std::max<Index>(1, lines * line / kBlock);
    const bool heavy = packed_size() > images * lines * line && strips_.strips >= threads();
    if (!heavy) count = std::max(count, (4 * threads() + images - 1) / images);
    count = std::min(count, flat_ ? (lines + kRows - 1) / kRows : lines);
    for (Index n = 0; n < images; ++n)
      for (Index b = 0; b < count; ++b) {
        const Index first = lines * b / count;
        blocks_.push_back({n, first, lines * (b + 1) / count - first});
      }
  }

  void run_block(const Block& block, const T* x, const Word* packed, Index first, Index last, T* y,
                 const EpilogueOf<T>& epilogue) const {
    run_from(source(block, x), block, packed, first, last, y, epilogue);
  }

  void run_from(const Word* from, const Block& block, const Word* packed, Index first, Index last,
                T* y, const EpilogueOf<T>& epilogue) const {
    const PixelStrips<T> products{pieces_, depth_, strips_, packed, epilogue};
    const Index line = flat_ ? block.count : s_.out.x, rows = flat_ ? 1 : block.count;
    const Index together = kAnyWindows ? rows : 1;  // rows whose windows panels may share
    const Panels panels(together * line);
    const Index parts = rows / together * panels.count;
    const Index out = flat_ ? block.first : block.image * s_.places() + block.first * s_.out.x;
    for (Index s = first, end; s < last; s = end) {
      end = std::min(last, s + group_);
      const Index next = end < last ? end : first, after = std::min(last, next + group_);
      const Index width = (after - 1 - next) * kColumns + strips_.width(after - 1);
      const StripAhead weights(packed + next * kColumns * depth_, width, depth_, parts);
      for (Index r = 0; r < rows; r += together)
        for (Index p = 0; p < panels.count; ++p) {
          const Index height = panels.height(p), place = panels.first(p);
          // What the next panel reads, which may be in memory; later, weights of the next strips, a
          // part in each of the panels.
          const bool moves = flat_ && p + 1 < panels.count && (s == first || group_ > 1);
          const Ahead<Word> ahead =
              moves ? Ahead<Word>{from + (place + height) * pixel_, panels.height(p + 1)}
                    : weights.part(r * panels.count + p);
          products.multiply(s, end, height,
                            windows(from + r * s_.stride.y * row_, place, height, line), ahead,
                            y + (out + r * s_.out.x + place) * epilogue.pixel);
        }
    }
    if (epilogue.streams) end_streams();
  }

  // Windows from place `first` on, in rows of `line`.
  PanelWindows<Word> windows(const Word* from, Index first, [[maybe_unused]] Index count,
                             [[maybe_unused]] Index line) const {
    const Index apart = s_.stride.x * pixel_;
#if defined(__AVX512F__)
    return {from + first * apart, apart};
#else
    PanelWindows<Word> found{from, {}};
    Index row = flat_ ? 0 : first / line, column = first - row * line;
    for (Index i = 0; i < count; ++i) {
      found.begin[i] = row * s_.stride.y * row_ + column * apart;
      if (++column == line) column = 0, ++row;
    }
    return found;
#endif
  }

  // The first window of a block.
  const Word* source(const Block& block, const T* x) const {
    if (flat_) return copies_ ? copy_places(block, x) : words_of(x + block.first * s_.channels);
    const T* image = x + block.image * s_.x_stride();
    return copies_ ? copy_rows(block, image) : words_of(image) + block.first * s_.stride.y * row_;
  }

  static T* scratch(Index words) {
    return reinterpret_cast<T*>(thread_scratch(Scratch::kImage, words));
  }

  const Word* copy_places(const Block& block, const T* x) const {
    T* const to = scratch(block.count * pixel_);
    copy_pixels(x + block.first * s_.channels, block.count, to);
    return words_of(to);
  }

  const Word* copy_rows(const Block& block, const T* image) const {
    const Index rows = (block.count - 1) * s_.stride.y + (s_.kernel.y - 1) * s_.dilation.y + 1;
    const Index row = row_ * kValues, pixel = stride();
    T* const copied = scratch(rows * row_);
    for (Index r = 0; r < rows; ++r) {
      const Index from = block.first * s_.stride.y + r - s_.pad.y;
      T* to = copied + r * row;
      if (from < 0 || from >= s_.height) {
        std::fill_n(to, row, T{});
        continue;
      }
      std::fill_n(to, s_.pad.x * pixel, T{});
      copy_row(image, from, to + s_.pad.x * pixel);
      std::fill_n(to + (s_.pad.x + s_.width) * pixel, s_.pad.x * pixel, T{});
    }
    return words_of(copied);
  }

  void copy_row(const T* image, Index row, T* to) const {
    if (planes_)
      planes_to_pixels(image + row * s_.width, s_.plane(), s_.group_channels(), s_.width, to,
                       stride());
    else
      copy_pixels(image + row * s_.width * s_.channels, s_.width, to);
  }

  // The channels of a group of `count` pixels; values behind them that a word takes in are 0.
  void copy_pixels(const T* from, Index count, T* to) const {
    const Index channels = s_.group_channels(), pixel = stride();
    if (pixel == s_.channels) {
      std::copy_n(from, count * pixel, to);
      return;
    }
    for (Index i = 0; i < count; ++i, from += s_.channels, to += pixel) {
      std::copy_n(from, channels, to);
      std::fill(to + channels, to + words_ * kValues, T{});
    }
  }

  ConvolutionShape s_;
  bool planes_;
  Strips strips_;
  Index words_, depth_;   // of a tap, and of all
  Index group_;           // strips that a panel meets before the next one does
  bool flat_;             // windows are single pixels, one after the other
  bool copies_ = false;   // windows are read from copies
  Index pixel_ = 0, row_ = 0;  // words from pixel to pixel and from row to row, as windows read them
  std::vector<PixelPiece> pieces_;
  std::vector<Block> blocks_;
  Index parts_ = 1;  // into which outputs are divided
};

#endif

// Implicit im2col: for each place of a grid, the taps around a place of an image.
//
// A block of places is copied once from the image, with its padding, into scratch of the thread.
// There each tap of each place is at (start of the place's segment) + (offset of the tap) + (index
// within the segment). Packing a panel is then a matter of copying short vectors.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "edges.h"
#include "gemm.h"

// A range of whole images, or of rows of one image's grid.
struct Block {
  Index image, images, row, rows;
};

// `length` adjacent columns of a panel, from `column` on, and the offset of their values.
struct Segment {
  Index column, length, at;
};

struct Tap {
  Index y, x;
};

// Of two axes, as Python passes them.
using Extents = std::pair<Index, Index>;
inline Tap tap(Extents pair) { return {pair.first, pair.second}; }

class Gather {
 public:
  // Place (r, c) of the grid reads (r * step.y + tap.y, c * step.x + tap.x) of channel planes of
  // height x width, zero-padded.
  Gather(Index height, Index width, Index grid_rows, Index grid_columns, Tap step,
         std::vector<Tap> taps)
      : height_(height), width_(width), rows_(grid_rows), columns_(grid_columns), step_(step),
        taps_(std::move(taps)) {
    Tap low = taps_[0], high = taps_[0];
    for (const Tap& tap : taps_) {
      low = {std::min(low.y, tap.y), std::min(low.x, tap.x)};
      high = {std::max(high.y, tap.y), std::max(high.x, tap.x)};
    }
    low_ = low;
    reach_ = high.y - low.y;
    // Columns with one remainder modulo the step are contiguous, in a lane of their own.
    lane_ = columns_ + (high.x - low.x) / step_.x;
    lanes_ = std::min(step_.x, high.x - low.x + 1);
    is_plane_ = taps_.size() == 1 && low.y == 0 && low.x == 0 && step_.y == 1 && step_.x == 1 &&
                rows_ == height_ && columns_ == width_;
  }

  Index taps() const { return static_cast<Index>(taps_.size()); }
  Index places() const { return rows_ * columns_; }
  Index columns() const { return columns_; }
  Index height() const { return height_; }
  Index width() const { return width_; }

  // Split the grids of `images` images into blocks of about `wanted` places.
  std::vector<Block> blocks(Index images, Index wanted) const {
    std::vector<Block> found;
    if (places() >= wanted) {
      const Index bands = std::max<Index>(1, std::min(rows_, (places() + wanted / 2) / wanted));
      for (Index n = 0; n < images; ++n)
        for (Index b = 0; b < bands; ++b) {
          const Index first = rows_ * b / bands, last = rows_ * (b + 1) / bands;
          found.push_back({n, 1, first, last - first});
        }
    } else {
      Index groups = (images * places() + wanted - 1) / wanted;
      // Several blocks are balanced among the threads, and few ones are of equal size.
      if (groups > 8) {
        groups = (groups + 4) / 8 * 8;
      } else if (groups > 0) {
        const Index each = images / groups;
        groups = (images + each - 1) / each;
      }
      for (Index g = 0; g < groups; ++g) {
        const Index first = images * g / groups, last = images * (g + 1) / groups;
        if (last > first) found.push_back({first, last - first, 0, rows_});
      }
    }
    return found;
  }

  Index count(const Block& block) const { return block.images * block.rows * columns_; }

  // Of a copied block: its rows, the size of a row, and the size of a channel of one image.
  Index source_rows(const Block& block) const { return (block.rows - 1) * step_.y + reach_ + 1; }
  Index row_size() const { return lanes_ * lane_; }
  Index channel_size(const Block& block) const { return source_rows(block) * row_size(); }
  Index copy_size(const Block& block, Index channels) const {
    return block.images * channels * channel_size(block);
  }

  // Copy the channels of a block; image_stride is the image stride of x.
  template <class T>
  void copy(const T* x, Index image_stride, Index channels, const Block& block, T* to) const {
    const Index first = block.row * step_.y + low_.y, count = source_rows(block);
    for (Index n = 0; n < block.images; ++n) {
      const T* image = x + (block.image + n) * image_stride;
      for (Index c = 0; c < channels; ++c, image += height_ * width_) {
        if (is_plane_) {
          std::memcpy(to, image + first * width_, bytes<T>(count * width_));
          to += count * width_;
          continue;
        }
        for (Index r = first; r < first + count; ++r, to += row_size())
          copy_row(r < 0 || r >= height_ ? nullptr : image + r * width_, to);
      }
    }
  }

  // The same with values from `row(image, channel, r)`, a pointer to the values of a row.
  template <class T, class Row>
  void copy_rows_from(Row&& row, Index channels, const Block& block, T* to) const {
    const Index first = block.row * step_.y + low_.y, count = source_rows(block);
    for (Index n = block.image; n < block.image + block.images; ++n)
      for (Index c = 0; c < channels; ++c)
        for (Index r = first; r < first + count; ++r, to += row_size())
          copy_row(r < 0 || r >= height_ ? nullptr : row(n, c, r), to);
  }

  // Whether the values of a tap are the image itself.
  bool is_plane() const { return is_plane_; }

  // The offset of each tap of `channels` channels in a copied block, channel by channel.
  void offsets(Index channels, const Block& block, std::vector<Index>& found) const {
    found.clear();
    for (Index c = 0; c < channels; ++c)
      for (const Tap& tap : taps_) {
        const Index y = tap.y - low_.y, x = tap.x - low_.x;
        found.push_back(c * channel_size(block) + y * lanes_ * lane_ + x % step_.x * lane_ +
                        x / step_.x);
      }
  }

  // The places [first, first + count) of a block as segments within rows, with their offsets.
  void segments(const Block& block, Index channels, Index first, Index count,
                std::vector<Segment>& found) const {
    found.clear();
    const Index image = block.rows * columns_;
    for (Index column = 0; column < count;) {
      const Index place = first + column, n = place / image, inside = place % image;
      const Index r = inside / columns_, c = inside % columns_;
      const Index row_end = is_plane_ ? image - inside : columns_ - c;
      const Index length = std::min(count - column, row_end);
      found.push_back({column, length,
                       n * channels * channel_size(block) + r * step_.y * lanes_ * lane_ + c});
      column += length;
    }
  }

 private:
  template <class T>
  static std::size_t bytes(Index count) {
    return static_cast<std::size_t>(count) * sizeof(T);
  }

  // One row, or zeros without one.
  template <class T>
  void copy_row(const T* row, T* to) const {
    if (row == nullptr) {
      std::memset(to, 0, bytes<T>(row_size()));
      return;
    }
    for (Index q = 0; q < lanes_; ++q, to += lane_) {
      // Column i of this lane is column low + q + i * step of the image.
      const Index start = low_.x + q, step = step_.x;
      const Index before = std::min(lane_, start < 0 ? (-start + step - 1) / step : 0);
      const Index after =
          start >= width_ ? before
                          : std::clamp((width_ - 1 - start) / step + 1, before, lane_);
      std::memset(to, 0, bytes<T>(before));
      if (step == 1) {
        std::memcpy(to + before, row + start + before, bytes<T>(after - before));
      } else {
        Index i = before;
        if constexpr (sizeof(T) == sizeof(float))
          // Deinterleave pairs of vectors as long as both are inside the row.
          for (; step == 2 && i + kLanes < after; i += kLanes)
            store(to + i, evens(load(row + start + 2 * i), load(row + start + 2 * i + kLanes)));
        for (; i < after; ++i) to[i] = row[start + i * step];
      }
      std::memset(to + after, 0, bytes<T>(lane_ - after));
    }
  }

  Index height_, width_, rows_, columns_;
  Tap step_, low_{0, 0};
  Index reach_ = 0, lane_ = 0, lanes_ = 1;
  bool is_plane_ = false;
  std::vector<Tap> taps_;
};

// The planes that results are written to: those of place (r, c) of a grid at row
// r * step.y + first.y and column c * step.x + first.x.
struct ResultPlanes {
  Index height, width, image_stride;
  Tap first, step;

  Index size() const { return height * width; }

  // Whether a whole row of places follows the one before it.
  bool is_dense(const Gather& gather) const {
    return step.x == 1 && first.x == 0 && gather.columns() == width && step.y == 1 && first.y == 0;
  }

  // The offset of a block.
  Index start(const Block& block) const {
    return block.image * image_stride + block.row * step.y * width;
  }

  // The places [begin, begin + count) of a block as segments, with their offsets from its start.
  void segments(const Gather& gather, const Block& block, Index begin, Index count,
                std::vector<Segment>& found) const {
    const Index columns = gather.columns(), image = block.rows * columns;
    for (Index column = 0; column < count;) {
      const Index place = begin + column, n = place / image, inside = place % image;
      const Index r = inside / columns, c = inside % columns;
      const Index end = is_dense(gather) ? image - inside : columns - c;
      const Index length = std::min(count - column, end);
      found.push_back({column, length,
                       n * image_stride + (r * step.y + first.y) * width + c * step.x + first.x});
      column += length;
    }
  }
};

// A vector copy: source and destination offsets.
struct Move {
  Index from, to;
};

// Segments as copies of whole vectors. What one writes past its end is overwritten by the next, or
// falls into the padding after the panel.
inline void moves_of(const std::vector<Segment>& segments, std::vector<Move>& moves,
                     Index lanes = kLanes) {
  moves.clear();
  for (const Segment& segment : segments)
    for (Index i = 0; i < segment.length; i += lanes)
      moves.push_back({segment.at + i, segment.column + i});
}

// A vector of values of any type.
template <class T>
void copy_vector(const T* from, T* to) {
  std::memcpy(to, from, sizeof(Vec));
}

template <Index N, class T>
void copy_moves(const T* from, const Index* offsets, Index depth, const Move* moves, T* to,
                Index stride) {
  Move kept[N];
  for (Index n = 0; n < N; ++n) kept[n] = moves[n];
  for (Index k = 0; k < depth; ++k, to += stride) {
    const T* row = from + offsets[k];
#pragma GCC unroll 8
    for (Index n = 0; n < N; ++n) copy_vector(row + kept[n].from, to + kept[n].to);
  }
}

// Row k of a panel, `stride` wide, is copied from offsets[k] on.
template <class T>
void copy_rows(const T* from, const Index* offsets, Index depth, const std::vector<Move>& moves,
               T* to, Index stride) {
  switch (moves.size()) {
#define CASE(N) \
  case N: return copy_moves<N>(from, offsets, depth, moves.data(), to, stride);
    CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8)
#undef CASE
  }
  for (Index k = 0; k < depth; ++k)
    for (const Move& move : moves)
      copy_vector(from + offsets[k] + move.from, to + k * stride + move.to);
}

// The gradient of what windows without padding looked at: each window adds to its places.
#pragma once

#include <algorithm>
#include <vector>

#include "edges.h"
#include "gather.h"
#include "pool.h"

// dx[c] = sum over outputs m and taps t of w[m][c][t] times dy[m], moved by t; for stride 1.
//
// Looked at from a place of dx, most windows near the border are outside of dy: of planes that are
// not much larger than the kernel that is a good part of all. So the products of all taps with
// places of dy are made, and added where they belong. Taps of one column (j) of the kernel have
// rows as short as those of dy, so that the results of a tap are added as one stretch of memory:
//   lines[c][j][y][x] = sum over m and rows i of the kernel of w[m][c][i][j] dy[m][y - i][x]
// and dx[c][y][x] = sum over j of lines[c][j][y][x - j].
class Scatter {
 public:
  Scatter(Index images, Index channels, Index height, Index width, Index outputs, Tap out,
          Tap kernel, Tap dilation)
      : images_(images), channels_(channels), height_(height), width_(width), outputs_(outputs),
        out_(out), kernel_(kernel), dilation_(dilation), strips_(out.y * out.x) {
    for (Index c = 0; c < channels; ++c)
      for (Index i = 0; i < kernel.y; ++i)
        for (Index j = 0; j < kernel.x; ++j)
          line_.push_back((c * kernel.x + j) * line_size() + i * dilation.y * out.x);
    for (Index x = 0; x < width; x += kLanes)
      for (Index j = 0; j < kernel.x; ++j)
        for (Index lane = 0; lane < kLanes; ++lane) {
          const Index from = x + lane - j * dilation.x;
          inside_.push_back(from >= 0 && from < out.x ? -1 : 0);
        }
  }

  // An estimate in cycles of a vector unit.
  static double cycles(Index images, Index channels, Index outputs, Tap out, Tap kernel) {
    const double rows = static_cast<double>(channels) * kernel.y * kernel.x;
    const double vectors = static_cast<double>(images) * ((out.y * out.x + kLanes - 1) / kLanes);
    return rows * vectors * (outputs * kLanes / 24.0 + 6);
  }

  // The distances of two images are those of whole arrays, of which this may be a group.
  void run(const float* dy, Index dy_stride, const float* w, float* dx, Index dx_stride) const {
    const Index blocks = (images_ + kImages - 1) / kImages;
    // Few images are shared by their channels too.
    const Index parts = std::clamp<Index>(kTasks / blocks, 1, channels_);
    const Index size = Panels((channels_ + parts - 1) / parts * taps()).size(outputs_);
    float* packed = thread_scratch(2, parts * size);
    parallel(parts, [&](Index part) {
      const Index first = channels_ * part / parts;
      const Panels panels(rows_of(part, parts));
      for (Index p = 0; p < panels.count; ++p)
        pack_columns(w + first * taps() + panels.first(p), channels_ * taps(), panels.height(p),
                     outputs_, packed + part * size + Panels::offset(p, outputs_));
    });
    parallel(blocks * parts, [&](Index task) {
      const Index block = task / parts, part = task % parts, first = block * kImages;
      run_block(packed + part * size, Panels(rows_of(part, parts)),
                std::min(kImages, images_ - first), dy + first * dy_stride, dy_stride,
                dx + first * dx_stride + channels_ * part / parts * height_ * width_, dx_stride);
    });
  }

 private:
  static constexpr Index kImages = 2;  // of a task, so that panels are read for several strips
  static constexpr Index kTasks = 8;

  Index taps() const { return kernel_.y * kernel_.x; }
  Index rows_of(Index part, Index parts) const {
    return (channels_ * (part + 1) / parts - channels_ * part / parts) * taps();
  }
  Index line_size() const { return height_ * out_.x; }

  // Some images and channels, whose rows of weights are the panels of `packed`.
  void run_block(const float* packed, const Panels& panels, Index images, const float* dy,
                 Index dy_stride, float* dx, Index dx_stride) const {
    const Index channels = panels.rows / taps(), image = channels * kernel_.x * line_size();
    const Index strip = outputs_ * kColumns;
    float* values = thread_scratch(1, images * strips_.strips * strip);
    // Vectors of a row may begin before it, by x - j, and end behind it.
    float* lines = thread_scratch(0, width_ + images * image + kColumns) + width_;
    std::fill(lines, lines + images * image, 0.0f);
    for (Index n = 0; n < images; ++n)
      for (Index s = 0; s < strips_.strips; ++s)
        pack_values(dy + n * dy_stride + s * kColumns, s,
                    values + (n * strips_.strips + s) * strip);
    alignas(64) float tile[kRows * kColumns];
    for (Index p = 0; p < panels.count; ++p) {
      const Index rows = panels.height(p);
      const Index* where = line_.data() + panels.first(p);
      for (Index n = 0; n < images; ++n)
        for (Index s = 0; s < strips_.strips; ++s) {
          const Index width = strips_.width(s), columns = strips_.columns(s);
          multiply_panels(rows, width, outputs_, packed + Panels::offset(p, outputs_),
                          values + (n * strips_.strips + s) * strip, tile, false);
          for (Index r = 0; r < rows; ++r) {
            float* to = lines + n * image + where[r] + s * kColumns;
            for (Index i = 0; i < columns; i += kLanes)
              store_first(to + i, load(to + i) + load(tile + r * width + i), columns - i);
          }
        }
    }
    for (Index n = 0; n < images; ++n)
      for (Index c = 0; c < channels; ++c)
        add_lines(lines + n * image + c * kernel_.x * line_size(),
                  dx + n * dx_stride + c * height_ * width_);
  }

  // Strip s of the places of dy, as a panel.
  void pack_values(const float* dy, Index s, float* to) const {
    const Index width = strips_.width(s), columns = strips_.columns(s);
    for (Index m = 0; m < outputs_; ++m, dy += strips_.count, to += width)
      for (Index i = 0; i < width; i += kLanes)
        store(to + i, load_first(dy + i, std::max<Index>(0, columns - i)));
  }

  // A plane from its lines.
  void add_lines(const float* lines, float* dx) const {
    for (Index y = 0; y < height_; ++y, dx += width_) {
      const std::int32_t* inside = inside_.data();
      for (Index x = 0; x < width_; x += kLanes) {
        Vec sum{};
        for (Index j = 0; j < kernel_.x; ++j, inside += kLanes) {
          const Vec value = load(lines + j * line_size() + y * out_.x + x - j * dilation_.x);
          sum += *reinterpret_cast<const LooseMask*>(inside) ? value : Vec{};
        }
        store_first(dx + x, sum, width_ - x);
      }
    }
  }

  Index images_, channels_, height_, width_, outputs_;
  Tap out_, kernel_, dilation_;
  Strips strips_;                     // of the places of dy
  std::vector<Index> line_;           // where results of a channel and a tap are added in the lines
  std::vector<std::int32_t> inside_;  // for lanes of a row of dx, column by column of the kernel
};

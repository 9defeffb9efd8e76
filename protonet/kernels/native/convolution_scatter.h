// The gradient of the input of a convolution without padding: each window is scattered to its
// places.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "convolution_way.h"
#include "edges.h"
#include "pool.h"

// dx[c] = sum over outputs m and taps t of w[m][c][t] times dy[m], shifted by t; for stride 1.
//
// Gathered from a place of dx, most windows near the border lie outside of dy; for planes not much
// larger than the kernel, that is a large part of the work. Instead, the products of all taps with
// the places of dy are computed and scattered. Products for one column (j) of the kernel have rows
// as long as those of dy, so that those of a tap are accumulated as one contiguous run:
//   lines[c][j][y][x] = sum over m and rows i of the kernel of w[m][c][i][j] dy[m][y - i][x]
// and dx[c][y][x] = sum over j of lines[c][j][y][x - j].
class Scatter final : public Way {
 public:
  explicit Scatter(const ConvolutionShape& s)
      : images_(s.images), channels_(s.group_channels()), height_(s.height), width_(s.width),
        outputs_(s.group_outputs()), x_stride_(s.x_stride()), y_stride_(s.y_stride()), out_(s.out),
        kernel_(s.kernel), dilation_(s.dilation), strips_(s.places()) {
    for (Index c = 0; c < channels_; ++c)
      for (Index i = 0; i < kernel_.y; ++i)
        for (Index j = 0; j < kernel_.x; ++j)
          line_.push_back((c * kernel_.x + j) * line_size() + i * dilation_.y * out_.x);
    for (Index x = 0; x < width_; x += kLanes)
      for (Index j = 0; j < kernel_.x; ++j)
        for (Index lane = 0; lane < kLanes; ++lane) {
          const Index from = x + lane - j * dilation_.x;
          inside_.push_back(from >= 0 && from < out_.x ? -1 : 0);
        }
  }

  // An estimate in cycles of a vector unit; infinite where a window may leave the image.
  static double cycles(const ConvolutionShape& s) {
    if (s.stride.y != 1 || s.stride.x != 1 || s.pad.y != 0 || s.pad.x != 0)
      return std::numeric_limits<double>::infinity();
    const double rows = static_cast<double>(s.group_channels()) * s.taps();
    const double vectors = static_cast<double>(s.images) * ((s.places() + kLanes - 1) / kLanes);
    return rows * vectors * (s.group_outputs() * kLanes / kProducts + 6);
  }

  void run(const float* dy, const float* w, float* dx, const Epilogue&) const override {
    const Index blocks = (images_ + kImages - 1) / kImages;
    // With few images, the work is split by channels too.
    const Index parts = std::clamp<Index>(kTasks / blocks, 1, channels_);
    const Index size = Panels((channels_ + parts - 1) / parts * taps()).size(outputs_);
    float* packed = thread_scratch(Scratch::kWeights, parts * size);
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
                std::min(kImages, images_ - first), dy + first * y_stride_,
                dx + first * x_stride_ + channels_ * part / parts * height_ * width_);
    });
  }

 private:
  static constexpr Index kImages = 2;  // per task, so that a panel is reused for several strips
  static constexpr Index kTasks = 8;

  Index taps() const { return kernel_.y * kernel_.x; }
  Index rows_of(Index part, Index parts) const {
    return (channels_ * (part + 1) / parts - channels_ * part / parts) * taps();
  }
  Index line_size() const { return height_ * out_.x; }

  // Some images and channels; `packed` holds the panels of their weights.
  void run_block(const float* packed, const Panels& panels, Index images, const float* dy,
                 float* dx) const {
    const Index channels = panels.rows / taps(), image = channels * kernel_.x * line_size();
    const Index strip = outputs_ * kColumns;
    float* values = thread_scratch(Scratch::kStrips, images * strips_.strips * strip);
    // Vectors of a row may begin before it, by x - j, and end after it.
    float* lines = thread_scratch(Scratch::kImage, width_ + images * image + kColumns) + width_;
    std::fill(lines, lines + images * image, 0.0f);
    for (Index n = 0; n < images; ++n)
      for (Index s = 0; s < strips_.strips; ++s)
        pack_values(dy + n * y_stride_ + s * kColumns, s,
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
                  dx + n * x_stride_ + c * height_ * width_);
  }

  // Pack strip s of the places of dy as a panel.
  void pack_values(const float* dy, Index s, float* to) const {
    const Index width = strips_.width(s), columns = strips_.columns(s);
    for (Index m = 0; m < outputs_; ++m, dy += strips_.count, to += width)
      for (Index i = 0; i < width; i += kLanes)
        store(to + i, load_first(dy + i, std::max<Index>(0, columns - i)));
  }

  // Sum the lines of a plane.
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

  Index images_, channels_, height_, width_, outputs_, x_stride_, y_stride_;
  Tap out_, kernel_, dilation_;
  Strips strips_;                     // of the places of dy
  std::vector<Index> line_;           // offset of each channel and tap in the lines
  std::vector<std::int32_t> inside_;  // lane masks of a row of dx, for each column of the kernel
};

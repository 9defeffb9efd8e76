// Sliding windows over planes, one channel at a time: shared by depthwise convolution and pooling.
//
// A band of rows of a plane is copied, with its padding, into scratch of the thread; its columns
// are grouped by their remainder modulo the stride. Each tap then reads one contiguous run of
// memory for all windows of a row, at an offset that depends on the tap alone: no edge needs
// special handling.
#pragma once

#include <vector>

#include "edges.h"
#include "pool.h"

struct Along {
  Index y, x;
};

struct Geometry {
  Index height, width;
  Along kernel, stride, pad, dilation, out;

  Index taps() const { return kernel.y * kernel.x; }
  Index places() const { return out.y * out.x; }
  Index size() const { return height * width; }
};

// Planes with padding. Padded row r begins at r * line() of the copy.
class Padded {
 public:
  // `columns` windows of a row read up to `reach` columns past their first one, counted in columns
  // of one remainder.
  Padded(Index height, Index width, Along before, Index deal, Index columns, Index reach,
         float outside = 0)
      : height_(height), width_(width), before_(before), deal_(deal), outside_(outside) {
    const Index written = before.x / deal + 1 + whole_vectors((width + deal - 1) / deal);
    pitch_ = whole_vectors(std::max(written, whole_vectors(columns) + reach));
  }

  Index line() const { return deal_ * pitch_; }
  // The offset of a padded column within its row.
  Index column(Index c) const { return c % deal_ * pitch_ + c / deal_; }

  // Fill the padding of `rows` rows; copies of rows leave it untouched.
  void clear(float* to, Index rows) const { std::fill(to, to + rows * line(), outside_); }

  // Copy padded rows from `first` on.
  void copy(const float* plane, Index first, Index rows, float* to) const {
    for (Index r = 0; r < rows; ++r, to += line()) {
      const Index y = first + r - before_.y;
      if (y < 0 || y >= height_)
        std::fill(to, to + line(), outside_);
      else if (deal_ == 1)
        copy_row(plane + y * width_, to + before_.x);
      else if (deal_ == 2)
        deal_row(plane + y * width_, to);
      else
        for (Index x = 0; x < width_; ++x) to[column(before_.x + x)] = plane[y * width_ + x];
    }
  }

 private:
  Vec outside() const { return splat(outside_); }

  void copy_row(const float* row, float* to) const {
    Index x = 0;
    for (; x + kLanes <= width_; x += kLanes) store(to + x, load(row + x));
    if (x < width_) store(to + x, load_first(row + x, width_ - x, outside()));
  }

  void deal_row(const float* row, float* to) const {
    float* even = to + column(before_.x);
    float* odd = to + column(before_.x + 1);
    Index x = 0;
    for (; x + 2 * kLanes <= width_; x += 2 * kLanes, even += kLanes, odd += kLanes) {
      const Vec a = load(row + x), b = load(row + x + kLanes);
      store(even, evens(a, b));
      store(odd, odds(a, b));
    }
    if (x >= width_) return;
    const Vec a = load_first(row + x, width_ - x, outside());
    const Index left = std::max<Index>(0, width_ - x - kLanes);
    const Vec b = left > 0 ? load_first(row + x + kLanes, left, outside()) : outside();
    store(even, evens(a, b));
    store(odd, odds(a, b));
  }

  Index height_, width_;
  Along before_;
  Index deal_, pitch_;
  float outside_;
};

// Places of the output that read the same taps: (first.y + t * step.y, first.x + u * step.x).
struct Grid {
  Along first;
  Index rows, columns;
  // Place (t, u) reads rows t * row_step + lines[i] and columns u + places[j] of the copy; the
  // index of that tap in the kernel is taps[i * places.size() + j].
  std::vector<Index> lines, places, taps;
  // For narrow planes: for each tap of a line, the source lane of each lane of an output row.
  std::vector<std::int32_t> lanes = {};

  Index width() const { return static_cast<Index>(places.size()); }
};

// How an output is computed from a padded source: band by band, grid by grid.
struct Sweep {
  Padded source;
  Along out, step;  // the extents of the output, and the stride of its grids
  Index row_step;   // rows of the source per row of a grid
  std::vector<Grid> grids;
  Index rows = 0, reach = 0, band = 0;

  // A band is as high as fits into half of the L1 cache.
  void settle() {
    for (const Grid& grid : grids) {
      rows = std::max(rows, grid.rows);
      for (Index line : grid.lines) reach = std::max(reach, line + 1);
    }
    const Index fits = (6144 / source.line() - reach) / row_step + 1;
    band = std::min(rows, std::max<Index>(7, fits / 28 * 28));
  }
  Index source_rows(Index rows) const { return (rows - 1) * row_step + reach; }
  Index source_size() const { return source_rows(band) * source.line(); }
  Index line_size() const { return step.x == 1 ? 0 : step.x * whole_vectors(out.x); }

  template <class F>
  void bands(F&& body) const {
    for (Index t = 0; t < rows; t += band) body(t, std::min(band, rows - t));
  }
};

// Forward: from x to y.
inline Sweep forward_sweep(const Geometry& g, float outside = 0) {
  const Index wide = (g.kernel.x - 1) * g.dilation.x;
  Sweep sweep{Padded(g.height, g.width, g.pad, g.stride.x, g.out.x, wide / g.stride.x + 1,
                     outside),
              g.out, {1, 1}, g.stride.y, {}};
  Grid grid{{0, 0}, g.out.y, g.out.x, {}, {}, {}};
  for (Index i = 0; i < g.kernel.y; ++i) grid.lines.push_back(i * g.dilation.y);
  for (Index j = 0; j < g.kernel.x; ++j)
    grid.places.push_back(sweep.source.column(j * g.dilation.x));
  for (Index tap = 0; tap < g.taps(); ++tap) grid.taps.push_back(tap);
  sweep.grids.push_back(std::move(grid));
  sweep.settle();
  return sweep;
}

// Along one axis: the places first + t * stride of x, and the windows t + shifts[i] that read them
// with tap taps[i], by ascending shift.
struct Remainder {
  Index first, count;
  std::vector<Index> shifts, taps;
};

inline std::vector<Remainder> remainders(Index extent, Index kernel, Index stride, Index pad,
                                         Index dilation) {
  std::vector<Remainder> found;
  for (Index first = 0; first < std::min(stride, extent); ++first) {
    Remainder here{first, (extent - first + stride - 1) / stride, {}, {}};
    for (Index k = kernel; k-- > 0;)
      if ((first + pad - k * dilation) % stride == 0) {
        here.shifts.push_back((first + pad - k * dilation) / stride);
        here.taps.push_back(k);
      }
    found.push_back(std::move(here));
  }
  return found;
}

// Backward: from dy to dx, for each place of x a sum over the windows that read it.
inline Sweep backward_sweep(const Geometry& g, float outside = 0) {
  const auto ys = remainders(g.height, g.kernel.y, g.stride.y, g.pad.y, g.dilation.y);
  const auto xs = remainders(g.width, g.kernel.x, g.stride.x, g.pad.x, g.dilation.x);
  Along before{0, 0};
  Index after = 0, columns = 0;
  for (const Remainder& y : ys)
    for (Index shift : y.shifts) before.y = std::max(before.y, -shift);
  for (const Remainder& x : xs) {
    columns = std::max(columns, x.count);
    for (Index shift : x.shifts) {
      before.x = std::max(before.x, -shift);
      after = std::max(after, shift);
    }
  }
  Sweep sweep{Padded(g.out.y, g.out.x, before, 1, columns, before.x + after + 1, outside),
              {g.height, g.width}, g.stride, 1, {}};
  for (const Remainder& y : ys)
    for (const Remainder& x : xs) {
      Grid grid{{y.first, x.first}, y.count, x.count, {}, {}, {}};
      for (Index shift : y.shifts) grid.lines.push_back(shift + before.y);
      for (Index shift : x.shifts) grid.places.push_back(shift + before.x);
      for (Index i : y.taps)
        for (Index j : x.taps) grid.taps.push_back(i * g.kernel.x + j);
      sweep.grids.push_back(std::move(grid));
    }
  sweep.settle();
  return sweep;
}

// The same for planes whose rows fit into one vector: rows are read in place, and each tap permutes
// their lanes. Lines of grids count from row t * row_step of the source.
struct Narrow {
  bool fits;
  Along source, out;
  Index row_step, step;  // of the source, and of the output
  std::vector<Grid> grids;
};

// A vector of 4 holds no row worth it.
constexpr bool kHasNarrow = kLanes > 4;

inline bool fits_narrow(const Geometry& g) {
  return kHasNarrow && g.width <= kLanes && g.out.x <= kLanes;
}

inline Narrow forward_narrow(const Geometry& g) {
  Narrow narrow{fits_narrow(g), {g.height, g.width}, g.out, g.stride.y, 1, {}};
  Grid grid{{0, 0}, g.out.y, g.out.x, {}, std::vector<Index>(g.kernel.x), {}};
  for (Index i = 0; i < g.kernel.y; ++i) grid.lines.push_back(i * g.dilation.y - g.pad.y);
  for (Index tap = 0; tap < g.taps(); ++tap) grid.taps.push_back(tap);
  for (Index j = 0; j < g.kernel.x; ++j)
    for (Index c = 0; c < kLanes; ++c) {
      const Index x = c * g.stride.x - g.pad.x + j * g.dilation.x;
      const bool inside = c < g.out.x && x >= 0 && x < g.width;
      grid.lanes.push_back(static_cast<std::int32_t>(inside ? x : -1));
    }
  narrow.grids.push_back(std::move(grid));
  return narrow;
}

inline Narrow backward_narrow(const Geometry& g) {
  Narrow narrow{fits_narrow(g), g.out, {g.height, g.width}, 1, g.stride.y, {}};
  for (const Remainder& y : remainders(g.height, g.kernel.y, g.stride.y, g.pad.y, g.dilation.y)) {
    Grid grid{{y.first, 0}, y.count, g.width, y.shifts, std::vector<Index>(g.kernel.x), {}};
    for (Index i : y.taps)
      for (Index j = 0; j < g.kernel.x; ++j) grid.taps.push_back(i * g.kernel.x + j);
    for (Index j = 0; j < g.kernel.x; ++j)
      for (Index x = 0; x < kLanes; ++x) {
        const Index shifted = x + g.pad.x - j * g.dilation.x, c = shifted / g.stride.x;
        const bool inside = x < g.width && shifted >= 0 && shifted % g.stride.x == 0 && c < g.out.x;
        grid.lanes.push_back(static_cast<std::int32_t>(inside ? c : -1));
      }
    narrow.grids.push_back(std::move(grid));
  }
  return narrow;
}

// Merge the grids of a row of x, which are whole_vectors(width) apart.
inline void merge_row(const float* parts, Index deal, Index width, float* to, bool add) {
  const Index apart = whole_vectors(width);
  Index x = 0;
  if (deal == 2)
    for (; x < width; x += 2 * kLanes) {
      const Vec a = load(parts + x / 2), b = load(parts + apart + x / 2);
      Vec low = interleave_low(a, b), high = interleave_high(a, b);
      if (add) {
        low += load_first(to + x, width - x);
        if (width - x > kLanes) high += load_first(to + x + kLanes, width - x - kLanes);
      }
      store_first(to + x, low, width - x);
      if (width - x > kLanes) store_first(to + x + kLanes, high, width - x - kLanes);
    }
  for (; x < width; ++x) {
    const float value = parts[x % deal * apart + x / deal];
    to[x] = add ? to[x] + value : value;
  }
}

// body(first, last) over ranges of `count` planes, each of about `cost` multiplications. A range is
// large enough to be worth a task.
template <class F>
void parallel_planes(Index count, Index cost, F&& body) {
  const Index each = std::max<Index>(1, (Index{1} << 16) / std::max<Index>(1, cost));
  const Index tasks = (count + each - 1) / each;
  parallel(tasks, [&](Index task) { body(count * task / tasks, count * (task + 1) / tasks); });
}

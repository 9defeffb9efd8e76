// Rows of pooling over images of pixels.
#include "pixel_pool.h"

#include <limits>

#if defined(__AVX2__)

namespace {

// Combines the values of each window: `begin`, then `step` for each of them, then `end`.
struct Largest {
  float begin = -std::numeric_limits<float>::max();  // or 0, for the ReLU of the maximum
  // The first operand stays where the other is NaN, as where it is not less.
  static Vec step(Vec most, Vec v) { return max(v, most); }
  template <class T>
  static Channels<T> end(const Channels<T>& c, Index) { return c; }
};

struct Mean {
  float begin = 0;
  const Grid& g;
  Index rows;  // of the window that count
  float whole = 1.0f / static_cast<float>(rows * g.kernel.x);
  static Vec step(Vec sum, Vec v) { return sum + v; }
  template <class T>
  Channels<T> end(Channels<T> c, Index i) const {
    // Padding counts up to the padded border.
    const Index start = i * g.stride.x - g.pad.x;
    const Index columns = std::min(start + g.kernel.x, g.in.x + g.pad.x) - start;
    const float share =
        columns == g.kernel.x ? whole : 1.0f / static_cast<float>(rows * columns);
    for (Vec& each : c.v) each *= splat(share);
    return c;
  }
};

// A row of windows over some channels.
template <class T>
struct Row {
  const Grid& g;
  const T* x;  // column 0 of the row that taps of the first row read
  Grid::Inside rows;
  T* y;
  Index channels;
};

template <class F, class T>
inline void take(const F& f, Channels<T>& total, const Channels<T>& more) {
#pragma GCC unroll 2
  for (Index v = 0; v < Channels<T>::kVectors; ++v) total.v[v] = f.step(total.v[v], more.v[v]);
}

// N vectors of channels of the windows of a row, from channel c on.
template <Index N, class T, class F>
WITH_BF16 void pool_channels(const Row<T>& row, const F& f, Index c, Lanes<T> lanes) {
  constexpr Index kCount = Channels<T>::kCount;
  const Grid& g = row.g;
  for (Index i = 0; i < g.out.x; ++i) {
    const Index start = i * g.stride.x - g.pad.x;
    const Grid::Inside columns = g.columns_inside(i);
    Channels<T> totals[N];
    for (Index n = 0; n < N; ++n) totals[n] = same_channels<T>(f.begin);
    for (Index r = row.rows.first; r < row.rows.last; ++r) {
      const T* at = row.x + (r * g.dilation.y * g.in.x + start) * g.channels + c;
      for (Index t = columns.first; t < columns.last; ++t)
#pragma GCC unroll 4
        for (Index n = 0; n < N; ++n)
          take(f, totals[n], channels_at(at + t * g.dilation.x * g.channels + n * kCount, lanes));
    }
    for (Index n = 0; n < N; ++n)
      put_channels(row.y + i * g.channels + c + n * kCount, lanes, f.end(totals[n], i));
  }
}

// A column of the windows of a row, of a vector of channels; x is at column 0 and row 0 of them.
template <class T, class F>
inline Channels<T> column_at(const Row<T>& row, const F& f, const T* x, Index column, Index down,
                             Lanes<T> lanes) {
  Channels<T> total = same_channels<T>(f.begin);
  if (column < 0 || column >= row.g.in.x) return total;
  const T* at = x + column * row.g.channels;
  if (row.rows.last - row.rows.first == 3) {
#pragma GCC unroll 3
    for (Index r = 0; r < 3; ++r) take(f, total, channels_at(at + r * down, lanes));
  } else {
    for (Index r = row.rows.first; r < row.rows.last; ++r, at += down)
      take(f, total, channels_at(at, lanes));
  }
  return total;
}

// Windows of three adjacent columns, S apart: each column is combined once.
template <Index S, class T, class F>
WITH_BF16 void pool_threes(const Row<T>& row, const F& f, Index c, Lanes<T> lanes) {
  const Grid& g = row.g;
  const Index down = g.dilation.y * g.in.x * g.channels;
  const T* x = row.x + c + row.rows.first * down;
  T* y = row.y + c;
  Channels<T> first = column_at(row, f, x, -g.pad.x, down, lanes), second = first;
  if (S == 1) second = column_at(row, f, x, 1 - g.pad.x, down, lanes);
  for (Index i = 0; i < g.out.x; ++i, y += g.channels) {
    const Index last = i * S - g.pad.x + 2;
    if (S == 2) second = column_at(row, f, x, last - 1, down, lanes);
    const Channels<T> third = column_at(row, f, x, last, down, lanes);
    Channels<T> total = first;
    take(f, total, second);
    take(f, total, third);
    put_channels(y, lanes, f.end(total, i));
    first = S == 1 ? second : third;
    if (S == 1) second = third;
  }
}

template <class T, class F>
void pool_row(const Row<T>& row, const F& f) {
  constexpr Index kCount = Channels<T>::kCount, kTogether = 4 / Channels<T>::kVectors;
  const Grid& g = row.g;
  const bool three = g.kernel.x == 3 && g.dilation.x == 1 && g.stride.x <= 2;
  for (Index c = 0; c < row.channels;) {
    const Lanes<T> lanes(row.channels - c);
    const bool several = !three && c + kTogether * kCount <= row.channels;
    if (several) pool_channels<kTogether>(row, f, c, lanes);
    else if (!three) pool_channels<1>(row, f, c, lanes);
    else if (g.stride.x == 1) pool_threes<1>(row, f, c, lanes);
    else pool_threes<2>(row, f, c, lanes);
    c += several ? kTogether * kCount : kCount;
  }
}

}  // namespace

template <class T>
void PixelPoolOf<T>::greatest_row(Index row, const T* x, T* y, Index channels) const {
  pool_row(Row<T>{g_, x, g_.rows_inside(row), y, channels}, Largest{});
}

template <class T>
void PixelPoolOf<T>::rectified_row(Index row, const T* x, T* y, Index channels) const {
  pool_row(Row<T>{g_, x, g_.rows_inside(row), y, channels}, Largest{0});
}

template <class T>
void PixelPoolOf<T>::mean_row(Index row, const T* x, T* y, Index channels) const {
  const Index count = std::min(start(row) + g_.kernel.y, g_.in.y + g_.pad.y) - start(row);
  pool_row(Row<T>{g_, x, g_.rows_inside(row), y, channels}, Mean{0, g_, count});
}

template class PixelPoolOf<float>;
#if defined(__AVX512F__)
template class PixelPoolOf<Bf16>;
#endif

#endif

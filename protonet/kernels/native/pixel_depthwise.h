// Depthwise convolution over images of pixels.
#pragma once

#include <limits>

#include "arrays.h"
#include "epilogue.h"
#include "pixel_channels.h"

#if defined(__AVX2__)

alignas(64) inline constexpr float kZeros[kLanes] = {};

template <class T>
inline void add(Channels<T>& sum, const Channels<T>& x, const Channels<T>& w) {
#pragma GCC unroll 2
  for (Index v = 0; v < Channels<T>::kVectors; ++v) sum.v[v] += x.v[v] * w.v[v];
}

template <class T>
inline void add(Channels<T>& sum, const Channels<T>& x) {
  for (Index v = 0; v < Channels<T>::kVectors; ++v) sum.v[v] += x.v[v];
}

template <class T>
inline Channels<T> product(const Channels<T>& x, const Channels<T>& w) {
  Channels<T> all;
  for (Index v = 0; v < Channels<T>::kVectors; ++v) all.v[v] = x.v[v] * w.v[v];
  return all;
}

template <class T>
struct Finish {
  Channels<T> factor, bias;
  Vec least;
  bool streams;  // see put_channels

  Finish(const Epilogue& e, Index channel, Lanes<T> lanes)
      : factor(e.factor == nullptr ? same_channels<T>(1) : floats_at(e.factor + channel, lanes)),
        bias(e.bias == nullptr ? same_channels<T>(0) : floats_at(e.bias + channel, lanes)),
        least(splat(e.rectify ? 0.0f : -std::numeric_limits<float>::infinity())),
        streams(e.streams) {}

  Channels<T> operator()(const Channels<T>& sum) const {
    Channels<T> y;
#pragma GCC unroll 2
    for (Index v = 0; v < Channels<T>::kVectors; ++v)
      y.v[v] = max(least, sum.v[v] * factor.v[v] + bias.v[v]);
    return y;
  }
};

// Channels of one vector, of some rows of the result of an image.
template <class T>
struct Place {
  const T* x;  // of the image
  Index ring;  // rows of the image that are there: row r where r modulo this is
  const float* w;
  T* y;         // of the first of the rows
  Index pixel;  // from a value of the result to that of the next place
  Lanes<T> lanes;
};

// K rows of an image that windows of 3 rows read, from column 0 on.
template <class T, Index K>
struct Lines {
  const T* at[K];
  Index step[K];   // 0 where a row is padding: its zeros are read over and over
  Index ahead[K];  // to the row that the next windows have there; 0 where there is none

  Lines(const Grid& g, const Place<T>& place, Index row) {
#pragma GCC unroll 4
    for (Index k = 0; k < K; ++k) {
      const Index from = row * g.stride.y - g.pad.y + k * g.dilation.y;
      const bool there = from >= 0 && from < g.in.y;
      const Index below = (K - 2) * g.stride.y, line = g.in.x * g.channels;
      at[k] = there ? place.x + from % place.ring * line : reinterpret_cast<const T*>(kZeros);
      step[k] = there ? g.channels : 0;
      ahead[k] = there && from + below < g.in.y ? below * line : 0;
    }
  }
};

template <class T>
class PixelDepthwiseOf {
 public:
  using Some = Channels<T>;
  static constexpr Index kCount = Some::kCount;

  PixelDepthwiseOf(const Grid& g) : g_(g), blocks_((g.channels + kCount - 1) / kCount) {}

  Index packed_size() const { return blocks_ * taps() * kCount; }

  void pack(Floats w, MutableFloats packed) const {
    for (Index c = 0; c < g_.channels; ++c)
      for (Index t = 0; t < taps(); ++t)
        packed.data()[(c / kCount * taps() + t) * kCount + lane(c % kCount)] =
            w.data()[c * taps() + t];
  }

  void forward(Values<T> x, Floats packed, Given factor, Given bias, MutableValues<T> y,
               bool rectify) const {
    Epilogue epilogue{at(factor), at(bias), rectify};
    epilogue.streams = leaves_caches(y) && fills_lines(y.data());
    const bool far = is_far(x);
    g_.each_part(kCount, [&](const Grid::Part& part) {
      const Index first = (part.image * g_.out.y + part.row) * g_.out.x;
      run(part, x.data() + part.image * g_.in.y * g_.in.x * g_.channels, g_.in.y, packed.data(),
          epilogue, far, y.data() + first * g_.channels, g_.channels);
      if (epilogue.streams) end_streams();
    });
  }

  // A part of the result, whose first place is at `y`; from one to the next are `pixel` values. Of
  // the image `x`, `ring` rows are there. It is compiled in pixel_depthwise.cpp.
  void run(const Grid::Part& part, const T* x, Index ring, const float* packed,
           const Epilogue& epilogue, bool far, T* y, Index pixel) const;

  // Whether windows are rolled over rows, of which few need to be there.
  static bool rolls(const Grid& g) {
    return g.kernel.y == 3 && g.kernel.x == 3 && g.dilation.x == 1 && g.stride.x <= 2;
  }

  const Grid& grid() const { return g_; }

 private:
  // Whether each vector of channels is a line of the cache.
  bool fills_lines(const T* y) const {
    constexpr Index line = 64;
    return kCount * sizeof(T) == line && g_.channels % kCount == 0 &&
           reinterpret_cast<std::uintptr_t>(y) % line == 0;
  }

  // Rows of windows for whose weights and sums there are registers.
  static constexpr Index kRolled = kLanes == 16 && Some::kVectors == 1 ? 2 : 1;

  Index taps() const { return g_.kernel.y * g_.kernel.x; }

  static Index lane(Index channel) {
    return Some::kVectors == 1 ? channel : channel % 2 * 16 + channel / 2;
  }

  static Some weights_at(const float* w) {
    Some weights;
    for (Index v = 0; v < Some::kVectors; ++v) weights.v[v] = load(w + kLanes * v);
    return weights;
  }

  // Of windows of 3 x 3 values, where there are registers for their sums.
  Index rows_together() const {
    const bool adjacent = g_.stride.y == 1 && g_.stride.x == 1 && g_.dilation.y == 1;
    return adjacent ? kRolled : 1;
  }

  template <Index S>
  void roll_rows(const Place<T>& place, const Finish<T>& finish, Index row, Index rows,
                 bool far) const {
    if constexpr (S == 1 && kRolled == 2)
      if (rows == 2)
        return far ? roll<2, S, true>(place, finish, row) : roll<2, S, false>(place, finish, row);
    far ? roll<1, S, true>(place, finish, row) : roll<1, S, false>(place, finish, row);
  }

  // Rolls windows of N rows of the result over the columns of an image: each value is read once,
  // and weights are in registers.
  template <Index N, Index S, bool Far>
  WITH_BF16 void roll(const Place<T>& place, const Finish<T> finish, Index row) const {
    Some weights[3][3];
#pragma GCC unroll 9
    for (Index t = 0; t < 9; ++t) weights[t / 3][t % 3] = weights_at(place.w + t * kCount);
    Lines<T, N + 2> lines(g_, place, row);
    const Lanes<T> lanes = place.lanes;
    T* y = place.y;
    const Index line = g_.out.x * place.pixel;
    // Of the windows that the last column read is in, the one that began first is sums[n][0].
    Some sums[N][3];
#pragma GCC unroll 6
    for (Index n = 0; n < 3 * N; ++n) sums[n / 3][n % 3] = same_channels<T>(0);
    const auto is_inside = [&](Index column) { return column >= 0 && column < g_.in.x; };
    for (Index i = S == 1 ? -2 : -1; i < g_.out.x; ++i) {
      const Index column = i * S - g_.pad.x + 2;
      if (S == 2 && is_inside(column - 1)) read<N, 1, 1, Far>(lines, lanes, weights, sums);
      if (is_inside(column)) read<N, 0, S, Far>(lines, lanes, weights, sums);
#pragma GCC unroll 2
      for (Index n = 0; n < N; ++n) {
        if (i >= 0) put_channels(y + n * line, lanes, finish(sums[n][0]), finish.streams);
        sums[n][0] = sums[n][1];
        sums[n][1] = sums[n][2];
        sums[n][2] = same_channels<T>(0);
      }
      if (i >= 0) y += place.pixel;
    }
  }

  // One column: of sums[n][0] it is column 2 - Behind, and of each next one column S less. Where there
  // are few sums, products of the column are added apart: a sum that goes on from column to column
  // would wait for each of them.
  template <Index N, Index Behind, Index S, bool Far>
  static void read(Lines<T, N + 2>& lines, Lanes<T> lanes,
                   const Some (&weights)[3][3], Some (&sums)[N][3]) {
    constexpr Index kWindows = Behind == 1 ? 1 : S == 1 ? 3 : 2;
    constexpr Index kKnown = Behind == 1 || S == 2 ? 1 : 2;  // rows that the next ones share
    constexpr bool kApart = kRolled == 1;
    Some apart[N][kWindows];
#pragma GCC unroll 4
    for (Index k = 0; k < N + 2; ++k) {
      const Some x = channels_at(lines.at[k], lanes);
      if (Far && k >= kKnown) prefetch(lines.at[k] + lines.ahead[k]);
      lines.at[k] += lines.step[k];
#pragma GCC unroll 2
      for (Index n = 0; n < N; ++n)
#pragma GCC unroll 3
        for (Index i = 0; i < kWindows; ++i)
          if (k - n >= 0 && k - n < 3) {
            const Some& w = weights[k - n][2 - Behind - i * S];
            if (!kApart) add<T>(sums[n][i], x, w);
            else if (k == n) apart[n][i] = product<T>(x, w);
            else add<T>(apart[n][i], x, w);
          }
    }
    if constexpr (kApart)
#pragma GCC unroll 2
      for (Index n = 0; n < N; ++n)
#pragma GCC unroll 3
        for (Index i = 0; i < kWindows; ++i) add<T>(sums[n][i], apart[n][i]);
  }

  void others(const Place<T>& place, const Finish<T>& finish, Index row) const {
    constexpr Index kTogether = 4;
    const Index reach = (g_.kernel.x - 1) * g_.dilation.x;
    const auto is_whole = [&](Index i) {
      const Index start = i * g_.stride.x - g_.pad.x;
      return start >= 0 && start + reach < g_.in.x;
    };
    for (Index i = 0; i < g_.out.x;) {
      const Index last = i + kTogether - 1;
      const bool several = last < g_.out.x && is_whole(i) && is_whole(last);
      if (several) windows<kTogether>(place, finish, row, i);
      else windows<1>(place, finish, row, i);
      i += several ? kTogether : 1;
    }
  }

  // N adjacent windows, of which only the first may reach over the ends of rows.
  template <Index N>
  WITH_BF16 void windows(const Place<T>& place, const Finish<T>& finish, Index row,
                         Index column) const {
    const Grid::Inside rows = g_.rows_inside(row), columns = g_.columns_inside(column);
    const Index from = row * g_.stride.y - g_.pad.y, start = column * g_.stride.x - g_.pad.x;
    Some sums[N];
#pragma GCC unroll 4
    for (Index n = 0; n < N; ++n) sums[n] = same_channels<T>(0);
    for (Index r = rows.first; r < rows.last; ++r)
      for (Index t = columns.first; t < columns.last; ++t) {
        const Some w = weights_at(place.w + (r * g_.kernel.x + t) * kCount);
        const Index first = (from + r * g_.dilation.y) * g_.in.x + start + t * g_.dilation.x;
#pragma GCC unroll 4
        for (Index n = 0; n < N; ++n) {
          const T* at = place.x + (first + n * g_.stride.x) * g_.channels;
          add<T>(sums[n], channels_at(at, place.lanes), w);
        }
      }
    T* y = place.y + column * place.pixel;
    for (Index n = 0; n < N; ++n)
      put_channels(y + n * place.pixel, place.lanes, finish(sums[n]), finish.streams);
  }

  Grid g_;
  Index blocks_;  // of channels of a vector
};

#endif

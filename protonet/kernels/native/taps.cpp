// Sums over the taps of windows, with register blocking over rows.
#include "taps.h"

namespace {

// The values that the taps of a line read from a padded copy.
template <Index KX>
struct FromCopy {
  static constexpr bool kOverhangs = true;  // may read past the last column
  const float* column[KX];
  Index line;

  explicit FromCopy(const Rows& a) : line(a.line) {
    for (Index j = 0; j < KX; ++j) column[j] = a.from + a.grid->places[j];
  }
  void read(Index l, Index u, Vec (&x)[KX]) const {
#pragma GCC unroll 8
    for (Index j = 0; j < KX; ++j) x[j] = load(column[j] + l * line + u);
  }
};

// The same from a row of the plane itself, which fits into one vector.
template <Index KX>
struct FromRow {
  static constexpr bool kOverhangs = false;
  const float* from;
  Index y, height, width;
  Mask places[KX];

  explicit FromRow(const Rows& a) : from(a.from), y(a.y), height(a.height), width(a.line) {
    for (Index j = 0; j < KX; ++j)
      places[j] = *reinterpret_cast<const LooseMask*>(&a.grid->lanes[j * kLanes]);
  }
  void read(Index l, Index, Vec (&x)[KX]) const {
    const bool there = y + l >= 0 && y + l < height;
    const Vec row = there ? load_first(from + l * width, width) : Vec{};
#pragma GCC unroll 8
    for (Index j = 0; j < KX; ++j) x[j] = pick(row, places[j]);
  }
};

inline void finish(Vec total, const Rows& a, float* to, Index left) {
  if (a.add) total += load_first(to, left);
  if (a.rectify) total = max(Vec{}, total);  // propagates NaN
  store_first(to, total, left);
}

// R rows with a kernel of KY x KX contiguous taps; adjacent rows share loads.
template <template <Index> class From, Index KY, Index KX, Index STEP, Index R>
void correlate_fixed(const Rows& a) {
  Vec w[KY][KX];
  for (Index i = 0; i < KY; ++i)
    for (Index j = 0; j < KX; ++j) w[i][j] = splat(a.w[a.grid->taps[i * KX + j]]);
  const From<KX> from(a);
  const Index first = a.grid->lines[0];
  for (Index u = 0; u < a.grid->columns; u += kLanes) {
    Vec sums[R];
#pragma GCC unroll 8
    for (Index r = 0; r < R; ++r) sums[r] = splat(a.start);
#pragma GCC unroll 32
    for (Index line = 0; line < (R - 1) * STEP + KY; ++line) {
      Vec x[KX];
      from.read(first + line, u, x);
#pragma GCC unroll 8
      for (Index j = 0; j < KX; ++j)
#pragma GCC unroll 8
        for (Index r = 0; r < R; ++r) {
          const Index i = line - r * STEP;
          if (i >= 0 && i < KY) sums[r] += w[i][j] * x[j];
        }
    }
#pragma GCC unroll 8
    for (Index r = 0; r < R; ++r)
      finish(sums[r], a, a.to + r * a.to_line + u, a.grid->columns - u);
  }
}

// Arbitrary taps, R rows at a time.
template <Index R>
void correlate_any(const Rows& a) {
  const Index height = static_cast<Index>(a.grid->lines.size());
  const Index width = static_cast<Index>(a.grid->places.size());
  for (Index u = 0; u < a.grid->columns; u += kLanes) {
    Vec sums[R];
    for (Index r = 0; r < R; ++r) sums[r] = splat(a.start);
    for (Index i = 0; i < height; ++i) {
      const float* line = a.from + a.grid->lines[i] * a.line + u;
      for (Index j = 0; j < width; ++j) {
        const Vec w = splat(a.w[a.grid->taps[i * width + j]]);
        for (Index r = 0; r < R; ++r)
          sums[r] += w * load(line + r * a.row_step * a.line + a.grid->places[j]);
      }
    }
    for (Index r = 0; r < R; ++r)
      finish(sums[r], a, a.to + r * a.to_line + u, a.grid->columns - u);
  }
}

// Accumulates into totals, tap by tap, the products of R rows of dy (at `to`) with the values that
// their windows read.
template <template <Index> class From, Index KY, Index KX, Index STEP, Index R>
void learn_fixed(const Rows& a, Vec* totals) {
  const From<KX> from(a);
  const Index first = a.grid->lines[0];
  Vec sums[KY][KX];
  for (Index k = 0; k < KY * KX; ++k) sums[k / KX][k % KX] = totals[k];
  for (Index u = 0; u < a.grid->columns; u += kLanes) {
    const Index left = a.grid->columns - u;
    Vec dy[R];
#pragma GCC unroll 8
    for (Index r = 0; r < R; ++r) dy[r] = load_first(a.to + r * a.to_line + u, left);
    const Mask inside = among_first(left);
#pragma GCC unroll 32
    for (Index line = 0; line < (R - 1) * STEP + KY; ++line) {
      Vec x[KX];
      from.read(first + line, u, x);
#pragma GCC unroll 8
      for (Index j = 0; j < KX; ++j) {
        // Values outside of all windows must not contribute, even if infinite.
        if (From<KX>::kOverhangs) x[j] = inside ? x[j] : Vec{};
#pragma GCC unroll 8
        for (Index r = 0; r < R; ++r) {
          const Index i = line - r * STEP;
          if (i >= 0 && i < KY) sums[i][j] += dy[r] * x[j];
        }
      }
    }
  }
  for (Index k = 0; k < KY * KX; ++k) totals[k] = sums[k / KX][k % KX];
}

template <Index R>
void learn_any(const Rows& a, Vec* totals) {
  const Index height = static_cast<Index>(a.grid->lines.size());
  const Index width = static_cast<Index>(a.grid->places.size());
  for (Index u = 0; u < a.grid->columns; u += kLanes) {
    const Index left = a.grid->columns - u;
    const Mask inside = among_first(left);
    Vec dy[R];
    for (Index r = 0; r < R; ++r) dy[r] = load_first(a.to + r * a.to_line + u, left);
    for (Index i = 0; i < height; ++i)
      for (Index j = 0; j < width; ++j) {
        const float* x = a.from + a.grid->lines[i] * a.line + a.grid->places[j] + u;
        Vec sum = totals[i * width + j];
        for (Index r = 0; r < R; ++r)
          sum += dy[r] * (inside ? load(x + r * a.row_step * a.line) : Vec{});
        totals[i * width + j] = sum;
      }
  }
}

// Whether the lines of a grid are contiguous and it has KY x KX taps.
inline bool is_fixed(const Grid& grid, Index row_step, Index ky, Index kx, Index step) {
  for (Index i = 1; i < ky; ++i)
    if (i < static_cast<Index>(grid.lines.size()) && grid.lines[i] != grid.lines[0] + i)
      return false;
  return static_cast<Index>(grid.lines.size()) == ky && grid.width() == kx && row_step == step;
}

// Calls with(KY, KX, STEP) with compile-time constants if a grid matches one of the unrolled
// kernels.
template <class With>
void choose(const Grid& grid, Index row_step, With with) {
#define CHOICE(KY, KX, STEP)                                                              \
  if (is_fixed(grid, row_step, KY, KX, STEP))                                             \
    with(std::integral_constant<Index, KY>{}, std::integral_constant<Index, KX>{},        \
         std::integral_constant<Index, STEP>{});
  CHOICE(3, 3, 1)
  CHOICE(3, 3, 2)
  CHOICE(5, 5, 1)
  CHOICE(1, 1, 1)
  CHOICE(1, 2, 1)
  CHOICE(2, 1, 1)
  CHOICE(2, 2, 1)
  CHOICE(1, 3, 1)
  CHOICE(2, 3, 1)
#undef CHOICE
}

template <template <Index> class From>
Steps<> correlation_from(const Grid& grid, Index row_step) {
  Steps<> steps([](auto r) { return correlate_any<r>; });
  choose(grid, row_step, [&](auto ky, auto kx, auto step) {
    steps = Steps<>([=](auto r) { return correlate_fixed<From, ky, kx, step, r>; });
  });
  return steps;
}

template <template <Index> class From>
Steps<Vec*> learning_from(const Grid& grid, Index row_step) {
  Steps<Vec*> steps([](auto r) { return learn_any<r>; });
  choose(grid, row_step, [&](auto ky, auto kx, auto step) {
    steps = Steps<Vec*>([=](auto r) { return learn_fixed<From, ky, kx, step, r>; });
  });
  return steps;
}

}  // namespace

bool is_narrow(const Narrow& narrow) {
  bool all = narrow.fits;
  for (const Grid& grid : narrow.grids) {
    bool fixed = false;
    choose(grid, narrow.row_step, [&](auto...) { fixed = true; });
    all &= fixed;
  }
  return all;
}

Steps<> correlation_of(const Grid& grid, Index row_step, bool narrow) {
  if constexpr (kHasNarrow)
    if (narrow) return correlation_from<FromRow>(grid, row_step);
  return correlation_from<FromCopy>(grid, row_step);
}

Steps<Vec*> learning_of(const Grid& grid, Index row_step, bool narrow) {
  if constexpr (kHasNarrow)
    if (narrow) return learning_from<FromRow>(grid, row_step);
  return learning_from<FromCopy>(grid, row_step);
}

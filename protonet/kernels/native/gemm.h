// The micro-kernel of matrix products: register tiles over packed panels.
//
// A panel of A holds `rows` rows (at most kRows) with the values of one k contiguous; a panel of B
// holds kColumns columns. A tile is rows x kColumns accumulators over k, kept in registers.
#pragma once

#include <algorithm>
#include <type_traits>
#include <utility>

#include "vec.h"

#if defined(__AVX512F__)
constexpr Index kRows = 14, kVectors = 2;
#elif defined(__AVX2__)
constexpr Index kRows = 6, kVectors = 2;
#else
constexpr Index kRows = 4, kVectors = 2;
#endif
constexpr Index kColumns = kVectors * kLanes;

// Products in a cycle, as estimates count them: of a vector and a half.
constexpr double kProducts = 1.5 * kLanes;

// How many products are summed in registers. The sums of several chunks are added in memory: as two
// levels of a sum, they lose fewer digits than one long one.
constexpr Index kChunk = 64;

// A's values of one k: of a packed panel of R rows, or of rows as they lie in memory.
template <Index R>
struct PackedRows {
  const float* at;
  float of(Index row) const { return at[row]; }
  void next() { at += R; }
};
template <Index R>
struct LooseRows {
  const float* at;
  Index stride;
  float of(Index row) const { return at[row * stride]; }
  void next() { ++at; }
};

// What whoever comes next needs: `step` words of it begin to be loaded in each step of the depth. It
// lies within an array: where nothing is mapped, or nothing was ever written, processors look for the
// page again each time, which takes as long as 50 lines of the L1 cache.
template <class Word>
struct Ahead {
  const Word* first;
  Index step;
};

// A strip of packed weights, in parts for as many products to load ahead.
template <class Word>
class StripAhead {
 public:
  // `depth` steps multiply `width` words each.
  StripAhead(const Word* strip, Index width, Index depth, Index parts)
      : strip_(strip), step_((width + parts - 1) / parts), part_(width * depth / parts),
        last_((width - step_) * depth) {}

  Ahead<Word> part(Index i) const { return {strip_ + std::min(i * part_, last_), step_}; }

 private:
  const Word* strip_;
  Index step_, part_, last_;
};

// sums[r][...] = (or +=, to continue them) a panel of A times a panel of B of V vectors.
template <Index R, Index V, bool kAhead = false, class Rows = PackedRows<R>>
void multiply_tile(Index depth, Rows a, const float* b, float* tile, bool go_on,
                   const Ahead<float>& ahead = {}) {
  const float* next = ahead.first;
  Vec* to = reinterpret_cast<Vec*>(tile);
  for (Index first = 0; first == 0 || first < depth; first += kChunk, go_on = true) {
    Vec sums[R][V];
    for (Index r = 0; r < R; ++r)
      for (Index v = 0; v < V; ++v) sums[r][v] = Vec{};
    for (Index k = std::min(kChunk, depth - first); k > 0; --k, a.next(), b += V * kLanes) {
      if constexpr (kAhead) __builtin_prefetch(std::exchange(next, next + ahead.step));
      Vec columns[V];
#pragma GCC unroll 4
      for (Index v = 0; v < V; ++v) columns[v] = reinterpret_cast<const Vec*>(b)[v];
#pragma GCC unroll 16
      for (Index r = 0; r < R; ++r) {
        const Vec factor = splat(a.of(r));
#pragma GCC unroll 4
        for (Index v = 0; v < V; ++v) sums[r][v] += factor * columns[v];
      }
    }
#pragma GCC unroll 16
    for (Index r = 0; r < R; ++r)
#pragma GCC unroll 4
      for (Index v = 0; v < V; ++v) {
        Vec& at = to[r * V + v];
        at = go_on ? at + sums[r][v] : sums[r][v];
      }
  }
}

// body(R) for R = `rows`, from 1 to kRows, as a constant. A body that holds copies of its arguments
// keeps them in registers; the short sums of Winograd still lose by it, and have a switch of their
// own.
template <class Body>
void with_rows(Index rows, Body&& body) {
  switch (rows) {
#define CASE(R) \
  case R: return body(std::integral_constant<Index, R>{});
    CASE(1) CASE(2) CASE(3) CASE(4)
#if defined(__AVX2__)
    CASE(5) CASE(6)
#endif
#if defined(__AVX512F__)
    CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14)
#endif
#undef CASE
  }
}

// The same as multiply_tile for `rows` rows and `columns` columns, kColumns or half of that.
template <bool kAhead = false>
void multiply_panels(Index rows, Index columns, Index depth, const float* a, const float* b,
                     float* tile, bool go_on, const Ahead<float>& ahead = {}) {
  with_rows(rows, [=, &ahead](auto r) {
    const PackedRows<r> own{a};
    if (columns == kColumns) multiply_tile<r, kVectors, kAhead>(depth, own, b, tile, go_on, ahead);
    else multiply_tile<r, kVectors / 2, kAhead>(depth, own, b, tile, go_on, ahead);
  });
}

// The same for rows that lie `stride` values apart, which are not packed, and whole strips.
inline void multiply_rows(Index rows, Index depth, const float* a, Index stride, const float* b,
                          float* tile, bool go_on) {
  with_rows(rows, [=](auto r) {
    multiply_tile<r, kVectors>(depth, LooseRows<r>{a, stride}, b, tile, go_on);
  });
}

// `count` columns divided into strips of kColumns; the last one is half as wide if that suffices.
struct Strips {
  Index count, strips;
  explicit Strips(Index count) : count(count), strips((count + kColumns - 1) / kColumns) {}
  Index columns(Index strip) const { return std::min(kColumns, count - strip * kColumns); }
  Index width(Index strip) const {
    return columns(strip) > kColumns / 2 ? kColumns : kColumns / 2;
  }
};

// Rows divided into panels of nearly equal height, so that no tile is mostly padding.
struct Panels {
  Index rows, count;
  Index least, taller;  // the height of a panel, and how many have one row more
  explicit Panels(Index rows)
      : rows(rows), count((rows + kRows - 1) / kRows), least(count == 0 ? 0 : rows / count),
        taller(rows - least * count) {}
  Index first(Index panel) const { return panel * least + std::min(panel, taller); }
  Index height(Index panel) const { return least + (panel < taller); }
  // The start of a packed panel: packing may write up to a vector past its end.
  static Index offset(Index panel, Index depth) { return panel * (kRows * depth + kLanes); }
  Index size(Index depth) const { return offset(count, depth); }
};

// Pack a panel of A from contiguous rows: to[k * rows + r] = from[r][k].
inline void pack_rows(const float* from, Index stride, Index rows, Index depth, float* to) {
  Index k = 0;
  for (; k + kLanes <= depth; k += kLanes) {
    Vec square[kLanes];
    for (Index r = 0; r < rows && r < kLanes; ++r) square[r] = load(from + r * stride + k);
    for (Index r = rows; r < kLanes; ++r) square[r] = Vec{};
    transpose(square);
    // Each store may write past its rows: the next one overwrites that.
    for (Index i = 0; i < kLanes; ++i) store(to + (k + i) * rows, square[i]);
  }
  if (k == depth) return;
  Vec square[kLanes];
  for (Index r = 0; r < kLanes; ++r)
    square[r] = r < rows ? load_some(from + r * stride + k, depth - k) : Vec{};
  transpose(square);
  for (Index i = 0; i < depth - k; ++i) store_some(to + (k + i) * rows, square[i], rows);
}

// Pack a panel of A from contiguous columns: to[k * rows + r] = from[k][r].
inline void pack_columns(const float* from, Index stride, Index rows, Index depth, float* to) {
  for (Index k = 0; k < depth; ++k)
    for (Index r = 0; r < rows; ++r) to[k * rows + r] = from[k * stride + r];
}

// Pack a panel of B from its transpose: to[k * width + j] = from[j][k] for j < `columns`,
// zero-padded to the width.
inline void pack_transposed(const float* from, Index stride, Index columns, Index depth,
                            float* to, Index width = kColumns) {
  for (Index j = 0; j < width; j += kLanes) {
    const Index here = std::clamp<Index>(columns - j, 0, kLanes);
    Index k = 0;
    for (; k + kLanes <= depth; k += kLanes) {
      Vec square[kLanes];
      for (Index r = 0; r < here; ++r) square[r] = load(from + (j + r) * stride + k);
      for (Index r = here; r < kLanes; ++r) square[r] = Vec{};
      transpose(square);
      for (Index i = 0; i < kLanes; ++i)
        *reinterpret_cast<Vec*>(to + (k + i) * width + j) = square[i];
    }
    if (k == depth) continue;
    Vec square[kLanes];
    for (Index r = 0; r < kLanes; ++r)
      square[r] = r < here ? load_some(from + (j + r) * stride + k, depth - k) : Vec{};
    transpose(square);
    for (Index i = 0; i < depth - k; ++i)
      *reinterpret_cast<Vec*>(to + (k + i) * width + j) = square[i];
  }
}

// Pack a panel of B from rows: to[k * width + j] = from[k][j] for j < `columns`, zero-padded to the
// width.
inline void pack_straight(const float* from, Index stride, Index columns, Index depth, float* to,
                          Index width = kColumns) {
  if (columns == kColumns) {
    for (Index k = 0; k < depth; ++k)
      for (Index v = 0; v < kVectors; ++v)
        *reinterpret_cast<Vec*>(to + k * kColumns + v * kLanes) =
            load(from + k * stride + v * kLanes);
    return;
  }
  for (Index k = 0; k < depth; ++k) {
    std::memset(to + k * width, 0, 4 * static_cast<std::size_t>(width));
    std::memcpy(to + k * width, from + k * stride, 4 * static_cast<std::size_t>(columns));
  }
}

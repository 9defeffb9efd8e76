// Matrix products (GEMM), as inner product and recurrent layers use them.
#include <nanobind/nanobind.h>

#include <limits>

#include "arrays.h"
#include "bindings.h"
#include "gemm.h"
#include "pool.h"

namespace nb = nanobind;

namespace {

constexpr Index kDepth = 256;      // of a packed block of B
constexpr Index kGroup = 8;        // strips that are packed together: B is read in runs of 1 KiB
constexpr Index kSmall = 1 << 18;  // size of B up to which every thread packs all of it

// body(i) for i below `count`; in parallel from `least` multiplications on.
template <class F>
void divide(Index work, Index least, Index count, F&& body) {
  if (work >= least) return parallel(count, body);
  for (Index i = 0; i < count; ++i) body(i);
}

// Multiplications from which threads pay off: for data in the cache, and for data in memory.
constexpr Index kNear = 1 << 20;
constexpr Index kFar = 1 << 18;

struct Matrix {
  const float* data;
  Index stride;
  bool turned;  // transposed: element (i, j) is at data[j * stride + i]
};

struct Result {
  float* data;
  Index rows, columns;
  bool add;
  const float* bias;
  bool rectify;

  void put(Index row, Index column, Vec value, Index count) const {
    float* to = data + row * columns + column;
    if (add) value += load_some(to, count);
    if (bias != nullptr) value += load_some(bias + column, count);
    if (rectify) value = value < Vec{} ? Vec{} : value;
    store_some(to, value, count);
  }

  void put_tile(Index row, Index count, Index column, const float* tile) const {
    for (Index r = 0; r < count; ++r, tile += kColumns)
      for (Index v = 0; v < kVectors && column + v * kLanes < columns; ++v)
        put(row + r, column + v * kLanes, load(tile + v * kLanes),
            std::min(kLanes, columns - column - v * kLanes));
  }
};

// A register tile of R rows and V vectors of columns, `here` lanes in the last one, from unpacked
// operands: A column by column, B row by row.
template <Index R, Index V>
void multiply_some(const Matrix& a, const Matrix& b, Index depth, Index j, Index here,
                   const Result& c) {
  const Index a_row = a.turned ? 1 : a.stride, a_depth = a.turned ? a.stride : 1;
  Vec sums[R][V] = {};
  for (Index k = 0; k < depth; ++k) {
    const float* from = b.data + k * b.stride + j;
    Vec columns[V];
    for (Index v = 0; v + 1 < V; ++v) columns[v] = load(from + v * kLanes);
    const float* last = from + (V - 1) * kLanes;
    columns[V - 1] = here == kLanes ? load(last) : load_some(last, here);
    for (Index r = 0; r < R; ++r) {
      const Vec factor = splat(a.data[r * a_row + k * a_depth]);
      for (Index v = 0; v < V; ++v) sums[r][v] += factor * columns[v];
    }
  }
  for (Index r = 0; r < R; ++r)
    for (Index v = 0; v < V; ++v)
      c.put(r, j + v * kLanes, sums[r][v], v + 1 < V ? kLanes : here);
}

// All columns of R rows: as many vectors at a time as there are registers for, so that independent
// accumulators hide the latency of multiply-adds.
template <Index R>
void multiply_few(const Matrix& a, const Matrix& b, Index depth, const Result& c) {
  constexpr Index wide = R == 1 ? kLanes : R == 2 ? 4 : 2, width = wide * kLanes;
  const auto some = [&](Index group) {
    const Index end = std::min(c.columns, (group + 1) * width);
    Index j = group * width;
    if (end - j == width) return multiply_some<R, wide>(a, b, depth, j, kLanes, c);
    for (; j < end; j += kLanes)
      multiply_some<R, 1>(a, b, depth, j, std::min(kLanes, end - j), c);
  };
  const Index groups = (c.columns + width - 1) / width;
  divide(R * c.columns * depth, kFar, groups, some);
}

// R rows times C columns, where k is contiguous in rows of A and in columns of B.
template <Index R, Index C>
void multiply_dots(const Matrix& a, const Matrix& b, Index depth, Index row, Index column,
                   float (&dots)[R][C]) {
  Vec sums[R][C] = {};
  const float* rows = a.data + row * a.stride;
  const float* columns = b.data + column * b.stride;
  Index k = 0;
  auto step = [&](auto take) {
    Vec x[R];
    for (Index r = 0; r < R; ++r) x[r] = take(rows + r * a.stride + k);
    for (Index j = 0; j < C; ++j) {
      const Vec y = take(columns + j * b.stride + k);
      for (Index r = 0; r < R; ++r) sums[r][j] += x[r] * y;
    }
  };
  for (; k + kLanes <= depth; k += kLanes) step([](const float* p) { return load(p); });
  if (k < depth) step([&](const float* p) { return load_some(p, depth - k); });
  for (Index r = 0; r < R; ++r)
    for (Index j = 0; j < C; ++j) dots[r][j] = sum(sums[r][j]);
}

// Register blocks of four rows or one, by four columns or one.
void multiply_by_dots(const Matrix& a, const Matrix& b, Index depth, Index first, Index last,
                      const Result& c) {
  auto tile = [&]<Index R, Index C>(Index i, Index j) {
    float dots[R][C];
    multiply_dots<R, C>(a, b, depth, i, j, dots);
    for (Index r = 0; r < R; ++r) {
      Vec value{};
      for (Index k = 0; k < C; ++k) value[k] = dots[r][k];
      c.put(i + r, j, value, C);
    }
  };
  for (Index i = 0; i < c.rows;) {
    const bool four = i + 4 <= c.rows;
    for (Index j = first; j < last;) {
      const bool wide = j + 4 <= last;
      if (four && wide) tile.template operator()<4, 4>(i, j);
      else if (four) tile.template operator()<4, 1>(i, j);
      else if (wide) tile.template operator()<1, 4>(i, j);
      else tile.template operator()<1, 1>(i, j);
      j += wide ? 4 : 1;
    }
    i += four ? 4 : 1;
  }
}

void pack_strip(const Matrix& b, Index k, Index depth, Index column, Index columns, float* to) {
  if (b.turned) {
    pack_transposed(b.data + column * b.stride + k, b.stride, columns, depth, to);
  } else {
    pack_straight(b.data + k * b.stride + column, b.stride, columns, depth, to);
  }
}

void multiply_group(const float* packed_a, const Matrix& b, Index depth, const Panels& panels,
                    Index first, Index last, const Result& c) {
  const Index strips = last - first;
  float* packed = thread_scratch(Scratch::kStrips, strips * kColumns * std::min(depth, kDepth));
  float* tiles = thread_scratch(Scratch::kTiles, panels.count * strips * kRows * kColumns);
  for (Index k = 0; k < depth; k += kDepth) {
    const Index here = std::min(kDepth, depth - k);
    for (Index s = 0; s < strips; ++s) {
      const Index column = (first + s) * kColumns;
      pack_strip(b, k, here, column, std::min(kColumns, c.columns - column),
                 packed + s * here * kColumns);
    }
    for (Index p = 0; p < panels.count; ++p)
      for (Index s = 0; s < strips; ++s) {
        const Index rows = panels.height(p);
        float* tile = tiles + (p * strips + s) * kRows * kColumns;
        multiply_panels(rows, kColumns, here,
                        packed_a + Panels::offset(p, depth) + k * rows,
                        packed + s * here * kColumns, tile, k > 0);
        if (k + here < depth) continue;
        c.put_tile(panels.first(p), rows, (first + s) * kColumns, tile);
      }
  }
}

void pack_panel(const Matrix& a, Index first, Index rows, Index depth, float* to) {
  if (a.turned) {
    pack_columns(a.data + first, a.stride, rows, depth, to);
  } else {
    pack_rows(a.data + first * a.stride, a.stride, rows, depth, to);
  }
}

// A large result with a short inner dimension, as the gradient of weights: bound by the memory
// traffic of the result, so that threads divide it by rows, which are contiguous.
void multiply_outer(const Matrix& a, const Matrix& b, Index depth, const Result& c) {
  const Index strips = (c.columns + kColumns - 1) / kColumns, size = depth * kColumns;
  const Index work = c.rows * c.columns * depth;
  float* packed = thread_scratch(Scratch::kSums, strips * size);
  divide(work, kNear, strips, [&](Index s) {
    pack_strip(b, 0, depth, s * kColumns, std::min(kColumns, c.columns - s * kColumns),
               packed + s * size);
  });
  const Panels panels(c.rows);
  divide(work, kNear, panels.count, [&](Index p) {
    const Index first = panels.first(p), rows = panels.height(p);
    float* panel = thread_scratch(Scratch::kWeights, kRows * depth + kLanes);
    pack_panel(a, first, rows, depth, panel);
    alignas(64) float tile[kRows * kColumns];
    for (Index s = 0; s < strips; ++s) {
      multiply_panels(rows, kColumns, depth, panel, packed + s * size, tile, false);
      c.put_tile(first, rows, s * kColumns, tile);
    }
  });
}

void multiply_packed(const Matrix& a, const Matrix& b, Index depth, const Result& c) {
  const Panels panels(c.rows);
  float* packed = thread_scratch(Scratch::kWeights, panels.size(depth));
  const Index work = c.rows * c.columns * depth;
  divide(work, kNear, panels.count, [&](Index p) {
    float* to = packed + Panels::offset(p, depth);
    pack_panel(a, panels.first(p), panels.height(p), depth, to);
  });
  const Index strips = (c.columns + kColumns - 1) / kColumns;
  // The same number of groups for each thread.
  const Index each = std::max<Index>(4, (strips + kGroup * threads() - 1) / (kGroup * threads()));
  const Index groups = std::min(strips, each * threads());
  divide(work, kNear, groups, [&](Index g) {
    multiply_group(packed, b, depth, panels, strips * g / groups, strips * (g + 1) / groups, c);
  });
}

// c = (or +=) a b, plus a bias for each column. Shapes without a special case above go through
// packing.
void multiply(const Matrix& a, const Matrix& b, Index depth, const Result& c) {
  if (!a.turned && b.turned && (c.rows < 8 || c.columns < 8)) {
    const Index work = c.rows * c.columns * depth;
    const Index pieces = work < kFar ? 1 : std::min<Index>(c.columns / 4 + 1, 64);
    parallel(pieces, [&](Index p) {
      multiply_by_dots(a, b, depth, c.columns / 4 * p / pieces * 4,
                       p + 1 == pieces ? c.columns : c.columns / 4 * (p + 1) / pieces * 4, c);
    });
    return;
  }
  if (!b.turned && c.rows <= 4) {
    switch (c.rows) {
      case 1: return multiply_few<1>(a, b, depth, c);
      case 2: return multiply_few<2>(a, b, depth, c);
      case 3: return multiply_few<3>(a, b, depth, c);
      case 4: return multiply_few<4>(a, b, depth, c);
    }
  }
  if (depth <= kDepth && depth * c.columns <= kSmall && c.rows >= 32 * kRows)
    return multiply_outer(a, b, depth, c);
  multiply_packed(a, b, depth, c);
}

}  // namespace

void add_product(nb::module_& m) {
  m.def(
      "multiply",
      [](Floats a, bool a_turned, Floats b, bool b_turned, MutableFloats c, bool add,
         std::optional<Floats> bias, bool rectify) {
        const Matrix left{a.data(), static_cast<Index>(a.shape(1)), a_turned};
        const Matrix right{b.data(), static_cast<Index>(b.shape(1)), b_turned};
        const Index depth = static_cast<Index>(a.shape(a_turned ? 0 : 1));
        const Result result{c.data(), static_cast<Index>(c.shape(0)),
                            static_cast<Index>(c.shape(1)), add,
                            bias ? bias->data() : nullptr, rectify};
        if (depth * result.rows * result.columns < (1 << 16))
          return multiply(left, right, depth, result);
        nb::gil_scoped_release free;
        multiply(left, right, depth, result);
      },
      nb::arg("a"), nb::arg("a_turned"), nb::arg("b"), nb::arg("b_turned"), nb::arg("c"),
      nb::arg("add"), nb::arg("bias").none(), nb::arg("rectify"),
      "c = (or, with add, +=) a b plus a bias for each column; a turned matrix is given as its\n"
      "transpose.");
}

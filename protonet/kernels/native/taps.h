// Sums over the taps of windows: the functions for a grid, which are in taps.cpp.
#pragma once

#include <type_traits>

#include "bands.h"

// The rows of one grid to compute.
struct Rows {
  const float* from;  // source of row 0 of the grid and line 0
  Index line;         // row stride of the source
  Index row_step;     // rows of the source per row of the grid
  const Grid* grid;
  const float* w;  // the kernel, by tap
  float start;
  bool add, rectify;
  float* to;
  Index to_line, rows;
  Index y = 0, height = 0;  // the row of the plane at `from`, and the height of the plane
};

// The row loops of a grid, for blocks of rows or single ones; `More` is empty, or the totals of
// taps.
template <class... More>
struct Steps {
  using Step = void (*)(const Rows&, More...);
  Step seven, four, two, one;

  // From function(R) for R rows, as a constant. Only the widest instruction set has registers for 7
  // rows.
  template <class Function>
  explicit Steps(Function&& function)
      : seven(nullptr), four(function(std::integral_constant<Index, 4>{})),
        two(function(std::integral_constant<Index, 2>{})),
        one(function(std::integral_constant<Index, 1>{})) {
    if constexpr (kLanes == 16) seven = function(std::integral_constant<Index, 7>{});
  }

  void run(Rows a, More... more) const {
    const auto some = [&](Index count, Step step) {
      for (; a.rows >= count; a.rows -= count) {
        step(a, more...);
        a.from += count * a.row_step * a.line;
        a.y += count * a.row_step;
        a.to += count * a.to_line;
      }
    };
    if (kLanes == 16) some(7, seven);
    some(4, four);
    some(2, two);
    some(1, one);
  }
};

// Whether every grid of a narrow sweep matches an unrolled kernel: rows in place have no generic
// one.
bool is_narrow(const Narrow& narrow);

// Of a grid of a sweep, or of a narrow one.
Steps<> correlation_of(const Grid& grid, Index row_step, bool narrow);
Steps<Vec*> learning_of(const Grid& grid, Index row_step, bool narrow);

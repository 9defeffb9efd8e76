// Sums over taps from one plane to another, forward or backward.
#pragma once

#include "taps.h"

// One direction, with a special case for narrow planes.
struct Pass {
  Sweep sweep;
  Narrow narrow;
  bool is_narrow;
  std::vector<Steps<>> steps;

  Pass(Sweep sweep_, Narrow narrow_)
      : sweep(std::move(sweep_)), narrow(std::move(narrow_)), is_narrow(::is_narrow(narrow)) {
    for (const Grid& grid : is_narrow ? narrow.grids : sweep.grids)
      steps.push_back(
          correlation_of(grid, is_narrow ? narrow.row_step : sweep.row_step, is_narrow));
  }

  // Call in each thread before planes are processed.
  void begin() const {
    if (!is_narrow)
      sweep.source.clear(thread_scratch(Scratch::kPlane, sweep.source_size()),
                         sweep.source_rows(sweep.band));
  }

  void run(const float* from, const float* w, float start, bool rectify, bool add,
           float* to) const {
    is_narrow ? run_narrow(from, w, start, rectify, add, to)
              : run_sweep(from, w, start, rectify, add, to);
  }

  void run_narrow(const float* from, const float* w, float start, bool rectify, bool add,
                  float* to) const {
    for (std::size_t i = 0; i < narrow.grids.size(); ++i) {
      const Grid& grid = narrow.grids[i];
      steps[i].run({from, narrow.source.x, narrow.row_step, &grid, w, start, add, rectify,
                    to + grid.first.y * narrow.out.x, narrow.step * narrow.out.x, grid.rows, 0,
                    narrow.source.y});
    }
  }

  void run_sweep(const float* from, const float* w, float start, bool rectify, bool add,
                 float* to) const {
    const Sweep& s = sweep;
    float* copy = thread_scratch(Scratch::kPlane, s.source_size());
    const Index width = s.out.x, part = whole_vectors(width);
    float* parts =
        s.step.x == 1 ? nullptr : thread_scratch(Scratch::kTotals, s.band * s.line_size());
    s.bands([&](Index t, Index rows) {
      s.source.copy(from, t * s.row_step, s.source_rows(rows), copy);
      for (std::size_t i = 0; i < s.grids.size(); ++i) {
        const Grid& grid = s.grids[i];
        const Index here = std::min(rows, grid.rows - t);
        float* at = to + (t * s.step.y + grid.first.y) * width;
        Rows a{copy, s.source.line(), s.row_step, &grid, w, start, add, rectify,
               at, s.step.y * width, here};
        if (parts != nullptr) {
          a.add = false;
          a.to = parts + grid.first.x * part;
          a.to_line = s.line_size();
        }
        steps[i].run(a);
        const bool last = i + 1 == s.grids.size() || s.grids[i + 1].first.y != grid.first.y;
        if (parts == nullptr || !last) continue;
        for (Index r = 0; r < here; ++r)
          merge_row(parts + r * s.line_size(), s.step.x, width, at + r * s.step.y * width, add);
      }
    });
  }
};

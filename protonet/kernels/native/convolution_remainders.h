// The backward pass to the input as correlations, one for each remainder of places of x modulo the
// stride.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "convolution_way.h"
#include "pool.h"

// `C` is a correlation.
template <class C>
class ByRemainder {
 public:
  // The places of x whose coordinates have one remainder modulo the stride, and the taps that reach
  // them.
  struct Remainder {
    std::vector<Index> taps;
    std::unique_ptr<C> correlation;
  };

  explicit ByRemainder(const ConvolutionShape& s) : s_(s) { add_remainders(); }

  const std::vector<Remainder>& all() const { return remainders_; }

  // Zero dx if there are places that no window covers.
  template <class T>
  void clear_rest(T* dx) const {
    if (!leaves_places_) return;
    const Index channels = s_.group_channels();
    parallel(s_.images * channels, [&](Index i) {
      std::fill_n(dx + i / channels * s_.x_stride() + i % channels * s_.plane(), s_.plane(), T{});
    });
  }

 private:
  // The remainders that taps reach: no more than there are taps, however large the stride is.
  void add_remainders() {
    std::map<std::pair<Index, Index>, std::vector<Tap>> met;
    for (Index i = 0; i < s_.kernel.y; ++i)
      for (Index j = 0; j < s_.kernel.x; ++j) {
        const Index y = remainder(i * s_.dilation.y - s_.pad.y, s_.stride.y);
        const Index x = remainder(j * s_.dilation.x - s_.pad.x, s_.stride.x);
        if (y < s_.height && x < s_.width) met[{y, x}].push_back({i, j});
      }
    for (const auto& [first, taps] : met) add_remainder({first.first, first.second}, taps);
    leaves_places_ = static_cast<Index>(met.size()) <
                     std::min(s_.stride.y, s_.height) * std::min(s_.stride.x, s_.width);
  }

  static Index remainder(Index value, Index by) { return (value % by + by) % by; }

  void add_remainder(Tap first, const std::vector<Tap>& met) {
    const Index rows = (s_.height - first.y - 1) / s_.stride.y + 1;
    const Index columns = (s_.width - first.x - 1) / s_.stride.x + 1;
    Remainder found{{}, nullptr};
    std::vector<Tap> taps;
    for (const Tap& tap : met) {
      found.taps.push_back(tap.y * s_.kernel.x + tap.x);
      taps.push_back({(first.y + s_.pad.y - tap.y * s_.dilation.y) / s_.stride.y,
                      (first.x + s_.pad.x - tap.x * s_.dilation.x) / s_.stride.x});
    }
    found.correlation = std::make_unique<C>(
        Gather(s_.out.y, s_.out.x, rows, columns, {1, 1}, taps), s_.images,
        s_.group_outputs(), s_.height, s_.width, s_.x_stride(), first, s_.stride);
    remainders_.push_back(std::move(found));
  }

  ConvolutionShape s_;
  std::vector<Remainder> remainders_;
  bool leaves_places_ = false;  // whether no window covers some places of x
};

// Max and average pooling over planes, and their gradients.
#include <nanobind/nanobind.h>

#include <limits>

#include "arrays.h"
#include "as_floats.h"
#include "bindings.h"
#include "pass.h"

namespace nb = nanobind;
using Places = nb::ndarray<const std::int32_t, nb::c_contig, nb::device::cpu>;
using MutablePlaces = nb::ndarray<std::int32_t, nb::c_contig, nb::device::cpu>;

namespace {

constexpr float kLowest = -std::numeric_limits<float>::max();

inline Mask as_mask(Vec v) { return reinterpret_cast<Mask>(v); }
inline Mask all(Index x) { return Mask{} + static_cast<std::int32_t>(x); }
inline Vec nowhere() { return reinterpret_cast<Vec>(all(-1)); }
inline Mask lanes_of(const Grid& grid, Index j) {
  return *reinterpret_cast<const LooseMask*>(&grid.lanes[j * kLanes]);
}
inline Mask count_by(Index step) {
  Mask lanes;
  for (Index i = 0; i < kLanes; ++i) lanes[i] = static_cast<std::int32_t>(i);
  return lanes * static_cast<std::int32_t>(step);
}

// A value is selected when it is greater than those before it: the first of equal values wins, and
// neither NaN nor padding is ever selected (the argmax is then -1).
class MaxPool {
 public:
  MaxPool(Index planes, const Geometry& g)
      : planes_(planes), g_(g), forward_(forward_sweep(g, kLowest)),
        forward_narrow_(forward_narrow(g)) {
    pairs_ = g.kernel.y == 2 && g.kernel.x == 2 && g.stride.y == 2 && g.stride.x == 2 &&
             g.pad.y == 0 && g.pad.x == 0;
    inside_ = 2 * g.out.y <= g.height && 2 * g.out.x <= g.width;
  }

  template <class T>
  void forward(const T* x, T* y, std::int32_t* places) const {
    parallel_planes(planes_, g_.places() * g_.taps() * 2, [&](Index first, Index last) {
      float* copy = nullptr;
      if (!forward_narrow_.fits && !(pairs_ && inside_)) {
        copy = thread_scratch(Scratch::kPlane, forward_.source_size());
        forward_.source.clear(copy, forward_.source_rows(forward_.band));
      }
      for (Index p = first; p < last; ++p) {
        const float* from = read_floats(x + p * g_.size(), g_.size(), Scratch::kImage);
        float* to = floats_for(y + p * g_.places(), g_.places(), Scratch::kStrips);
        if (places == nullptr)
          plane<false>(from, copy, to, nullptr);
        else
          plane<true>(from, copy, to, places + p * g_.places());
        write_back(to, y + p * g_.places(), g_.places());
      }
    });
  }

  template <class T>
  void backward(const T* dy, const std::int32_t* places, T* dx) const {
    parallel_planes(planes_, g_.size() * 4, [&](Index first, Index last) {
      for (Index p = first; p < last; ++p) {
        const float* from = read_floats(dy + p * g_.places(), g_.places(), Scratch::kStrips);
        const std::int32_t* at = places + p * g_.places();
        float* to = floats_for(dx + p * g_.size(), g_.size(), Scratch::kImage);
        pairs_ ? spread(from, at, to) : scatter(from, at, to);
        write_back(to, dx + p * g_.size(), g_.size());
      }
    });
  }

 private:
  template <bool KEEP>
  void plane(const float* x, float* copy, float* y, std::int32_t* places) const {
    if (pairs_ && inside_) {
      for (Index t = 0; t < g_.out.y; ++t)
        row_of_pairs<KEEP>(x, t, y + t * g_.out.x, KEEP ? places + t * g_.out.x : nullptr);
      return;
    }
    if (forward_narrow_.fits) {
      for (Index t = 0; t < g_.out.y; ++t)
        row_narrow<KEEP>(x, t, y + t * g_.out.x, KEEP ? places + t * g_.out.x : nullptr);
      return;
    }
    forward_.bands([&](Index t, Index rows) {
      forward_.source.copy(x, t * g_.stride.y, forward_.source_rows(rows), copy);
      for (Index r = 0; r < rows; ++r) {
        const Index at = (t + r) * g_.out.x;
        row<KEEP>(copy + r * g_.stride.y * forward_.source.line(), t + r, y + at,
                  KEEP ? places + at : nullptr);
      }
    });
  }

  template <bool KEEP>
  void row(const float* copy, Index t, float* y, std::int32_t* places) const {
    const Grid& grid = forward_.grids[0];
    const Mask columns = count_by(g_.stride.x);
    for (Index u = 0; u < g_.out.x; u += kLanes) {
      Vec best = splat(kLowest);
      Mask where = all(-1);
      for (Index i = 0; i < g_.kernel.y; ++i) {
        const float* line = copy + i * forward_.source.line() + u;
        Index place = (t * g_.stride.y - g_.pad.y + i) * g_.width + u * g_.stride.x - g_.pad.x;
        for (Index j = 0; j < g_.kernel.x; ++j, ++place)
          take<KEEP>(load(line + grid.places[j]), columns, place, best, where);
      }
      keep<KEEP>(best, where, y + u, KEEP ? places + u : nullptr, g_.out.x - u);
    }
  }

  template <bool KEEP>
  void row_narrow(const float* x, Index t, float* y, std::int32_t* places) const {
    const Grid& grid = forward_narrow_.grids[0];
    const Mask columns = count_by(g_.stride.x);
    Vec best = splat(kLowest);
    Mask where = all(-1);
    for (Index i = 0; i < g_.kernel.y; ++i) {
      const Index line = t * g_.stride.y - g_.pad.y + i;
      if (line < 0 || line >= g_.height) continue;
      const Vec from = load_first(x + line * g_.width, g_.width);
      for (Index j = 0; j < g_.kernel.x; ++j)
        take<KEEP>(pick(from, lanes_of(grid, j), splat(kLowest)), columns,
                   line * g_.width - g_.pad.x + j, best, where);
    }
    keep<KEEP>(best, where, y, places, g_.out.x);
  }

  // 2 x 2 windows without padding, with stride 2: both columns are read in place, without a copy.
  template <bool KEEP>
  void row_of_pairs(const float* x, Index t, float* y, std::int32_t* places) const {
    const Mask columns = count_by(2);
    for (Index u = 0; u < g_.out.x; u += kLanes) {
      const Index left = g_.out.x - u;
      Vec best = splat(kLowest);
      Mask where = all(-1);
      for (Index i = 0; i < 2; ++i) {
        const Index place = (2 * t + i) * g_.width + 2 * u;
        const Vec a = load_first(x + place, 2 * left);
        const Vec b = load_first(x + place + kLanes, std::max<Index>(0, 2 * left - kLanes));
        take<KEEP>(evens(a, b), columns, place, best, where);
        take<KEEP>(odds(a, b), columns, place + 1, best, where);
      }
      keep<KEEP>(best, where, y + u, KEEP ? places + u : nullptr, left);
    }
  }

  template <bool KEEP>
  static void take(Vec x, Mask columns, Index place, Vec& best, Mask& where) {
    const Mask hits = x > best;
    best = hits ? x : best;
    if (KEEP) where = hits ? columns + static_cast<std::int32_t>(place) : where;
  }

  template <bool KEEP>
  static void keep(Vec best, Mask where, float* y, std::int32_t* places, Index left) {
    store_first(y, best, left);
    if (KEEP)
      store_first(reinterpret_cast<float*>(places), reinterpret_cast<Vec>(where), left);
  }

  // Scatter the gradient of each window to its argmax.
  void scatter(const float* dy, const std::int32_t* places, float* dx) const {
    std::fill(dx, dx + g_.size(), 0.0f);
    for (Index i = 0; i < g_.places(); ++i)
      if (places[i] >= 0) dx[places[i]] += dy[i];
  }

  // Adjacent 2 x 2 windows: each writes its four places.
  void spread(const float* dy, const std::int32_t* places, float* dx) const {
    for (Index y = 0; y < g_.height; ++y) {
      const Index t = y / 2, width = g_.width;
      float* to = dx + y * width;
      Index u = 0;
      for (; t < g_.out.y && u < g_.out.x; u += kLanes) {
        const Index at = t * g_.out.x + u, left = g_.out.x - u, room = width - 2 * u;
        const Vec from = load_first(dy + at, left);
        const Mask where =
            as_mask(load_first(reinterpret_cast<const float*>(places) + at, left, nowhere()));
        const Mask here = count_by(2) + static_cast<std::int32_t>(y * width + 2 * u);
        const Vec even = where == here ? from : Vec{}, odd = where == here + 1 ? from : Vec{};
        store_first(to + 2 * u, interleave_low(even, odd), room);
        if (room > kLanes) store_first(to + 2 * u + kLanes, interleave_high(even, odd), room - kLanes);
      }
      for (Index x = std::min(2 * u, width); x < width; ++x) to[x] = 0;
    }
  }

  Index planes_;
  Geometry g_;
  Sweep forward_;
  Narrow forward_narrow_;
  bool pairs_;   // 2 x 2 windows with stride 2
  bool inside_;  // all windows lie inside the plane
};

// Average pooling: sums with weights of 1, times the reciprocal of each window's size.
class AveragePool {
 public:
  AveragePool(Index planes, const Geometry& g)
      : planes_(planes), g_(g), ones_(g.taps(), 1.0f), forward_(forward_sweep(g), forward_narrow(g)),
        backward_(backward_sweep(g), backward_narrow(g)) {
    whole_ = g.places() == 1 && g.pad.y == 0 && g.pad.x == 0 && g.taps() == g.size();
    for (Index t = 0; t < g.out.y; ++t)
      for (Index u = 0; u < g.out.x; ++u) {
        const Index y = t * g.stride.y - g.pad.y, x = u * g.stride.x - g.pad.x;
        const Index rows = std::min(y + g.kernel.y, g.height + g.pad.y) - y;
        const Index columns = std::min(x + g.kernel.x, g.width + g.pad.x) - x;
        shares_.push_back(static_cast<float>(1.0 / static_cast<double>(rows * columns)));
      }
  }

  template <class T>
  void forward(const T* x, T* y) const {
    parallel_planes(planes_, g_.places() * g_.taps(), [&](Index first, Index last) {
      if (!whole_) forward_.begin();
      for (Index p = first; p < last; ++p) {
        if (whole_) {
          put_value(y + p, sum_of(x + p * g_.size()) * shares_[0]);
          continue;
        }
        const float* from = read_floats(x + p * g_.size(), g_.size(), Scratch::kImage);
        float* to = floats_for(y + p * g_.places(), g_.places(), Scratch::kStrips);
        forward_.run(from, ones_.data(), 0, false, false, to);
        share(to, to);
        write_back(to, y + p * g_.places(), g_.places());
      }
    });
  }

  template <class T>
  void backward(const T* dy, T* dx) const {
    parallel_planes(planes_, g_.places() * g_.taps(), [&](Index first, Index last) {
      // The scratch of the pass comes first.
      const Index used = whole_vectors(backward_.sweep.source_size());
      float* shared = whole_ ? nullptr : thread_scratch(Scratch::kPlane, used + g_.places()) + used;
      if (!whole_) backward_.begin();
      for (Index p = first; p < last; ++p) {
        T* result = dx + p * g_.size();
        if (whole_) {
          T value;
          put_value(&value, value_of(dy[p]) * shares_[0]);
          std::fill(result, result + g_.size(), value);
          continue;
        }
        share(dy + p * g_.places(), shared);
        float* to = floats_for(result, g_.size(), Scratch::kImage);
        backward_.run(shared, ones_.data(), 0, false, false, to);
        write_back(to, result, g_.size());
      }
    });
  }

 private:
  template <class T>
  void share(const T* from, float* to) const {
    for (Index i = 0; i < g_.places(); i += kLanes) {
      const Index left = g_.places() - i;
      store_first(to + i, load_first(from + i, left) * load_first(&shares_[i], left), left);
    }
  }

  template <class T>
  float sum_of(const T* plane) const {
    Vec sums[4] = {};
    Index i = 0;
    for (; i + 4 * kLanes <= g_.size(); i += 4 * kLanes)
      for (Index k = 0; k < 4; ++k) sums[k] += load(plane + i + k * kLanes);
    for (; i < g_.size(); i += kLanes) sums[0] += load_first(plane + i, g_.size() - i);
    return fold((sums[0] + sums[1]) + (sums[2] + sums[3]));
  }

  Index planes_;
  Geometry g_;
  std::vector<float> ones_, shares_;
  Pass forward_, backward_;
  bool whole_;
};

using Pair = std::pair<Index, Index>;

Geometry geometry(Pair inputs, Pair kernel, Pair stride, Pair pad, Pair out) {
  const auto along = [](Pair pair) { return Along{pair.first, pair.second}; };
  return {inputs.first, inputs.second, along(kernel), along(stride), along(pad), {1, 1},
          along(out)};
}

// The geometry is the same for values of any type.
template <class T>
struct MaxPoolOf : MaxPool {
  using MaxPool::MaxPool;
};
template <class T>
struct AveragePoolOf : AveragePool {
  using AveragePool::AveragePool;
};

template <class T>
void define(nb::module_& m) {
  using MaxPool = MaxPoolOf<T>;
  using AveragePool = AveragePoolOf<T>;
  nb::class_<MaxPool>(m, "MaxPool")
      .def("__init__",
           [](MaxPool* self, Index planes, Pair inputs, Pair kernel, Pair stride, Pair pad,
              Pair out) { new (self) MaxPool(planes, geometry(inputs, kernel, stride, pad, out)); },
           nb::call_guard<nb::gil_scoped_release>())
      .def("forward",
           [](const MaxPool& self, Values<T> x, MutableValues<T> y, std::optional<MutablePlaces> places) {
             nb::gil_scoped_release free;
             self.forward(x.data(), y.data(), places ? places->data() : nullptr);
           },
           nb::arg("x"), nb::arg("y"), nb::arg("places").none())
      .def("backward", [](const MaxPool& self, Values<T> dy, Places places, MutableValues<T> dx) {
        nb::gil_scoped_release free;
        self.backward(dy.data(), places.data(), dx.data());
      });
  nb::class_<AveragePool>(m, "AveragePool")
      .def("__init__",
           [](AveragePool* self, Index planes, Pair inputs, Pair kernel, Pair stride, Pair pad,
              Pair out) {
             new (self) AveragePool(planes, geometry(inputs, kernel, stride, pad, out));
           },
           nb::call_guard<nb::gil_scoped_release>())
      .def("forward",
           [](const AveragePool& self, Values<T> x, MutableValues<T> y) {
             nb::gil_scoped_release free;
             self.forward(x.data(), y.data());
           })
      .def("backward", [](const AveragePool& self, Values<T> dy, MutableValues<T> dx) {
        nb::gil_scoped_release free;
        self.backward(dy.data(), dx.data());
      });
}

}  // namespace

void add_pooling(nb::module_& m) {
  for_each_type(m, [](auto type, nb::module_& here) { define<decltype(type)>(here); });
}

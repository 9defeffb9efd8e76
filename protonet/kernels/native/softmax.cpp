// Softmax of x as outer x classes x inner, its gradient, and the softmax loss.
#include <nanobind/nanobind.h>

#include <cmath>
#include <limits>

#include "arrays.h"
#include "bindings.h"
#include "edges.h"
#include "pool.h"

namespace nb = nanobind;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// exp(x) for x <= 0, to within 2 units in the last place: 2^n times a polynomial of the remainder.
inline Vec exp_below_zero(Vec x) {
  const Vec clipped = max(splat(-105.0f), x);  // propagates NaN
  // Adding 1.5 * 2^23 rounds to an integer.
  const Vec n = (clipped * 1.44269504f + 12582912.0f) - 12582912.0f;
  const Vec r = (clipped - n * 0.693359375f) + n * 2.12194440e-4f;
  Vec p = splat(1.0f / 5040);
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  // Scaled in two halves, so that the smallest results do not underflow early.
  const Mask whole = __builtin_convertvector(n, Mask), half = whole >> 1;
  const Vec low = reinterpret_cast<Vec>((half + 127) << 23);
  const Vec high = reinterpret_cast<Vec>((whole - half + 127) << 23);
  return p * low * high;
}

struct Extents {
  Index outer, classes, inner;

  // body(item, step): `item` is the offset of one item or, with classes `step` apart, of a vector
  // of at most `count` items.
  template <class F>
  void each(F&& body) const {
    const Index groups = inner == 1 ? outer : outer * ((inner + kLanes - 1) / kLanes);
    const Index cost = classes * (inner == 1 ? 1 : kLanes);
    const Index many = std::max<Index>(1, 16384 / cost);
    const Index vectors = (inner + kLanes - 1) / kLanes;
    parallel((groups + many - 1) / many, [&](Index task) {
      for (Index g = task * many; g < std::min(groups, (task + 1) * many); ++g) {
        const Index o = g / vectors, i = g % vectors * kLanes;
        body(o * classes * inner + i, o * inner + i, std::min(kLanes, inner - i));
      }
    });
  }
};

float greatest_of(const float* x, Index n) {
  Vec tops[4] = {splat(-kInfinity), splat(-kInfinity), splat(-kInfinity), splat(-kInfinity)};
  Index i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes)
    for (Index k = 0; k < 4; ++k) tops[k] = max(load(x + i + k * kLanes), tops[k]);
  for (; i < n; i += kLanes)
    tops[0] = max(load_first(x + i, n - i, splat(-kInfinity)), tops[0]);
  const Vec top = max(max(tops[0], tops[1]), max(tops[2], tops[3]));
  float greatest = top[0];
  for (Index lane = 1; lane < kLanes; ++lane) greatest = std::max(greatest, top[lane]);
  return greatest;
}

void softmax_row(const float* x, Index n, float* y) {
  const float greatest = greatest_of(x, n);
  Vec sums[2] = {};
  Index i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes)
    for (Index k = 0; k < 2; ++k) {
      const Vec e = exp_below_zero(load(x + i + k * kLanes) - greatest);
      store(y + i + k * kLanes, e);
      sums[k] += e;
    }
  for (; i < n; i += kLanes) {
    // Padding lanes would get exp(-inf) = 0, but not where the maximum is -inf.
    const Vec e = exp_below_zero(load_first(x + i, n - i, splat(-kInfinity)) - greatest);
    store_first(y + i, e, n - i);
    sums[0] += among_first(n - i) ? e : Vec{};
  }
  const float share = 1 / fold(sums[0] + sums[1]);
  for (i = 0; i < n; i += kLanes) store_first(y + i, load_first(y + i, n - i) * share, n - i);
}

void softmax_lanes(const float* x, Index n, Index step, Index count, float* y) {
  Vec top = splat(-kInfinity), sums{};
  for (Index i = 0; i < n; ++i) top = max(load_first(x + i * step, count), top);
  for (Index i = 0; i < n; ++i) {
    const Vec e = exp_below_zero(load_first(x + i * step, count) - top);
    store_first(y + i * step, e, count);
    sums += e;
  }
  const Vec share = 1.0f / sums;
  for (Index i = 0; i < n; ++i)
    store_first(y + i * step, load_first(y + i * step, count) * share, count);
}

class Softmax {
 public:
  Softmax(Index outer, Index classes, Index inner) : n_{outer, classes, inner} {}

  void forward(const float* x, float* y) const {
    n_.each([&](Index at, Index, Index count) {
      n_.inner == 1 ? softmax_row(x + at, n_.classes, y + at)
                    : softmax_lanes(x + at, n_.classes, n_.inner, count, y + at);
    });
  }

  void backward(const float* y, const float* dy, float* dx) const {
    n_.each([&](Index at, Index, Index count) {
      const bool rows = n_.inner == 1;
      const Index steps = rows ? (n_.classes + kLanes - 1) / kLanes : n_.classes;
      const Index step = rows ? kLanes : n_.inner;
      const auto left = [&](Index i) { return rows ? n_.classes - i * kLanes : count; };
      Vec sums{};
      for (Index i = 0; i < steps; ++i)
        sums += load_first(y + at + i * step, left(i)) * load_first(dy + at + i * step, left(i));
      if (rows) sums = splat(fold(sums));
      for (Index i = 0; i < steps; ++i) {
        const Vec d = load_first(dy + at + i * step, left(i)) - sums;
        store_first(dx + at + i * step, d * load_first(y + at + i * step, left(i)), left(i));
      }
    });
  }

  // p = softmax(x), and for each item sum q log(max(p, least)), times its valid flag.
  void loss(const float* x, const float* labels, const float* valid, float smoothing, float least,
            float* p, float* logs) const {
    forward(x, p);
    n_.each([&](Index at, Index item, Index count) {
      for (Index k = 0; k < count; ++k) {
        const float* own = p + at + k;
        float value = (1 - smoothing) *
                      log_of(own[static_cast<Index>(labels[item + k]) * n_.inner], least);
        if (smoothing > 0) {
          float total = 0;
          for (Index c = 0; c < n_.classes; ++c) total += log_of(own[c * n_.inner], least);
          value += smoothing / static_cast<float>(n_.classes) * total;
        }
        logs[item + k] = valid == nullptr ? value : value * valid[item + k];
      }
    });
  }

  // (p - q) times a factor, times the item's valid flag.
  void loss_gradient(const float* p, const float* labels, const float* valid, float smoothing,
                     float factor, float* dx) const {
    const float share = smoothing / static_cast<float>(n_.classes), own = 1 - smoothing;
    n_.each([&](Index at, Index item, Index count) {
      if (n_.inner == 1) {
        const float weight = valid == nullptr ? factor : factor * valid[item];
        for (Index c = 0; c < n_.classes; c += kLanes)
          store_first(dx + at + c, (load_first(p + at + c, n_.classes - c) - share) * weight,
                      n_.classes - c);
        const Index label = static_cast<Index>(labels[item]);
        dx[at + label] = (p[at + label] - own - share) * weight;
        return;
      }
      const Vec label = load_first(labels + item, count);
      const Vec weight =
          valid == nullptr ? splat(factor) : factor * load_first(valid + item, count);
      for (Index c = 0; c < n_.classes; ++c) {
        const Vec q = label == splat(static_cast<float>(c)) ? splat(own + share) : splat(share);
        const Index here = at + c * n_.inner;
        store_first(dx + here, (load_first(p + here, count) - q) * weight, count);
      }
    });
  }

  // Whether at least `least` classes of an item score below its label.
  void right(const float* x, const float* labels, Index least, float* found) const {
    n_.each([&](Index at, Index item, Index count) {
      for (Index k = 0; k < count; ++k) {
        const float* scores = x + at + k;
        const float own = scores[static_cast<Index>(labels[item + k]) * n_.inner];
        Index below = 0;
        if (n_.inner == 1) {
          Mask counts{};  // comparisons give -1
          for (Index c = 0; c < n_.classes; c += kLanes)
            counts += load_first(scores + c, n_.classes - c, splat(kInfinity)) < splat(own);
          for (Index lane = 0; lane < kLanes; ++lane) below -= counts[lane];
        } else {
          for (Index c = 0; c < n_.classes; ++c) below += scores[c * n_.inner] < own;
        }
        found[item + k] = below >= least ? 1.0f : 0.0f;
      }
    });
  }

 private:
  static float log_of(float p, float least) { return std::log(p < least ? least : p); }

  Extents n_;
};

}  // namespace

void add_softmax(nb::module_& m) {
  nb::class_<Softmax>(m, "Softmax")
      .def(nb::init<Index, Index, Index>())
      .def("forward",
           [](const Softmax& self, Floats x, MutableFloats y) {
             nb::gil_scoped_release free;
             self.forward(x.data(), y.data());
           })
      .def("backward",
           [](const Softmax& self, Floats y, Floats dy, MutableFloats dx) {
             nb::gil_scoped_release free;
             self.backward(y.data(), dy.data(), dx.data());
           })
      .def("right",
           [](const Softmax& self, Floats x, Floats labels, Index least, MutableFloats found) {
             nb::gil_scoped_release free;
             self.right(x.data(), labels.data(), least, found.data());
           })
      .def("loss",
           [](const Softmax& self, Floats x, Floats labels, std::optional<Floats> valid,
              float smoothing, float least, MutableFloats p, MutableFloats logs) {
             nb::gil_scoped_release free;
             self.loss(x.data(), labels.data(), valid ? valid->data() : nullptr, smoothing, least,
                       p.data(), logs.data());
           },
           nb::arg("x"), nb::arg("labels"), nb::arg("valid").none(), nb::arg("smoothing"),
           nb::arg("least"), nb::arg("p"), nb::arg("logs"))
      .def("loss_gradient",
           [](const Softmax& self, Floats p, Floats labels, std::optional<Floats> valid,
              float smoothing, Floats factor, MutableFloats dx) {
             nb::gil_scoped_release free;
             self.loss_gradient(p.data(), labels.data(), valid ? valid->data() : nullptr,
                                smoothing, *factor.data(), dx.data());
           },
           nb::arg("p"), nb::arg("labels"), nb::arg("valid").none(), nb::arg("smoothing"),
           nb::arg("factor"), nb::arg("dx"));
}

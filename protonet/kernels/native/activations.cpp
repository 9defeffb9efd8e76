// Elementwise activations and their gradients.
#include "arrays.h"
#include "bindings.h"
#include "elementwise.h"
#include "sweep.h"
#include "vecmath.h"

namespace nb = nanobind;

namespace {

template <class T>
void rectify(Values<T> x, MutableValues<T> y, float slope) {
  if (slope == 0) return map(x, y, [](Vec v) { return max(Vec{}, v); });
  map(x, y, [=](Vec v) { return v > Vec{} ? v : v * slope; });
}

template <class T>
void rectify_back(Values<T> dy, Values<T> sided, MutableValues<T> dx, float slope) {
  map(dy, sided, dx, [=](Vec d, Vec v) { return d * (v > Vec{} ? splat(1) : splat(slope)); });
}

template <class T>
void clip(Values<T> x, MutableValues<T> y, float low, float high) {
  map(x, y, [=](Vec v) { return min(splat(high), max(splat(low), v)); });
}

// With `open`, the slope at the bounds is 0, not 1.
template <class T>
void clip_back(Values<T> dy, Values<T> x, MutableValues<T> dx, float low, float high, bool open) {
  map(dy, x, dx, [=](Vec d, Vec v) {
    const Mask inside = open ? (v > splat(low)) & (v < splat(high))
                             : (v >= splat(low)) & (v <= splat(high));
    return d * (inside ? splat(1) : Vec{});
  });
}

template <class T>
void elu(Values<T> x, MutableValues<T> y, float alpha) {
  map(x, y, [=](Vec v) { return v > Vec{} ? v : alpha * exp_less_one(v); });
}

// `sided` has the sign of x.
template <class T>
void elu_back(Values<T> dy, Values<T> y, Values<T> sided, MutableValues<T> dx, float alpha) {
  const Index n = static_cast<Index>(dy.size());
  Unlocked free(n);
  const T *d = dy.data(), *top = y.data(), *side = sided.data();
  T* to = dx.data();
  spread(n, [=](Index i, auto part) {
    const Vec slope = part.load(side + i) > Vec{} ? splat(1) : part.load(top + i) + alpha;
    part.store(to + i, part.load(d + i) * slope);
  });
}

template <class T>
void swish(Values<T> x, MutableValues<T> y, float beta) {
  map(x, y, [=](Vec v) { return v * sigmoid(v * beta); });
}

template <class T>
void swish_back(Values<T> dy, Values<T> x, MutableValues<T> dx, float beta) {
  map(dy, x, dx, [=](Vec d, Vec v) {
    const Vec gate = sigmoid(v * beta);
    return d * (gate + v * beta * gate * (1.0f - gate));
  });
}

template <class T>
void define(nb::module_& m) {
  m.def("rectify", &rectify<T>);
  m.def("rectify_back", &rectify_back<T>);
  m.def("clip", &clip<T>);
  m.def("clip_back", &clip_back<T>);
  m.def("elu", &elu<T>);
  m.def("elu_back", &elu_back<T>);
  m.def("swish", &swish<T>);
  m.def("swish_back", &swish_back<T>);
  m.def("absolute", [](Values<T> x, MutableValues<T> y) {
    map(x, y, [](Vec v) { return magnitude(v); });
  });
  m.def("absolute_back", [](Values<T> dy, Values<T> x, MutableValues<T> dx) {
    map(dy, x, dx, [](Vec d, Vec v) {
      const Vec slope = v > Vec{} ? splat(1) : Vec{};
      return d * (v < Vec{} ? splat(-1) : v == v ? slope : v);
    });
  });
  m.def("tanh", [](Values<T> x, MutableValues<T> y) { map(x, y, [](Vec v) { return tanh(v); }); });
  m.def("tanh_back", [](Values<T> dy, Values<T> y, MutableValues<T> dx) {
    map(dy, y, dx, [](Vec d, Vec v) { return d * (1.0f - v * v); });
  });
  m.def("sigmoid", [](Values<T> x, MutableValues<T> y) { map(x, y, [](Vec v) { return sigmoid(v); }); });
  m.def("sigmoid_back", [](Values<T> dy, Values<T> y, MutableValues<T> dx) {
    map(dy, y, dx, [](Vec d, Vec v) { return d * ((1.0f - v) * v); });
  });
  m.def("softplus",
        [](Values<T> x, MutableValues<T> y) { map(x, y, [](Vec v) { return softplus(v); }); });
  m.def("softplus_back", [](Values<T> dy, Values<T> y, MutableValues<T> dx) {
    map(dy, y, dx, [](Vec d, Vec v) { return d * -exp_less_one(-v); });
  });
}

}  // namespace

void add_activations(nb::module_& m) {
  for_each_type(m, [](auto type, nb::module_& here) { define<decltype(type)>(here); });
}

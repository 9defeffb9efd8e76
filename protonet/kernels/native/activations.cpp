// Elementwise activations and their gradients.
#include "arrays.h"
#include "elementwise.h"
#include "sweep.h"
#include "vecmath.h"

namespace nb = nanobind;

namespace {

void rectify(Floats x, MutableFloats y, float slope) {
  if (slope == 0) return map(x, y, [](Vec v) { return max(Vec{}, v); });
  map(x, y, [=](Vec v) { return v > Vec{} ? v : v * slope; });
}

void rectify_back(Floats dy, Floats sided, MutableFloats dx, float slope) {
  map(dy, sided, dx, [=](Vec d, Vec v) { return d * (v > Vec{} ? splat(1) : splat(slope)); });
}

void clip(Floats x, MutableFloats y, float low, float high) {
  map(x, y, [=](Vec v) { return min(splat(high), max(splat(low), v)); });
}

// With `open`, the slope at the bounds is 0, not 1.
void clip_back(Floats dy, Floats x, MutableFloats dx, float low, float high, bool open) {
  map(dy, x, dx, [=](Vec d, Vec v) {
    const Mask inside = open ? (v > splat(low)) & (v < splat(high))
                             : (v >= splat(low)) & (v <= splat(high));
    return d * (inside ? splat(1) : Vec{});
  });
}

void elu(Floats x, MutableFloats y, float alpha) {
  map(x, y, [=](Vec v) { return v > Vec{} ? v : alpha * exp_less_one(v); });
}

// `sided` has the sign of x.
void elu_back(Floats dy, Floats y, Floats sided, MutableFloats dx, float alpha) {
  const Index n = static_cast<Index>(dy.size());
  Unlocked free(n);
  const float *d = dy.data(), *top = y.data(), *side = sided.data();
  float* to = dx.data();
  spread(n, [=](Index i, auto part) {
    const Vec slope = part.load(side + i) > Vec{} ? splat(1) : part.load(top + i) + alpha;
    part.store(to + i, part.load(d + i) * slope);
  });
}

void swish(Floats x, MutableFloats y, float beta) {
  map(x, y, [=](Vec v) { return v * sigmoid(v * beta); });
}

void swish_back(Floats dy, Floats x, MutableFloats dx, float beta) {
  map(dy, x, dx, [=](Vec d, Vec v) {
    const Vec gate = sigmoid(v * beta);
    return d * (gate + v * beta * gate * (1.0f - gate));
  });
}

}  // namespace

void add_activations(nb::module_& m) {
  m.def("rectify", &rectify);
  m.def("rectify_back", &rectify_back);
  m.def("clip", &clip);
  m.def("clip_back", &clip_back);
  m.def("elu", &elu);
  m.def("elu_back", &elu_back);
  m.def("swish", &swish);
  m.def("swish_back", &swish_back);
  m.def("absolute", [](Floats x, MutableFloats y) {
    map(x, y, [](Vec v) { return magnitude(v); });
  });
  m.def("absolute_back", [](Floats dy, Floats x, MutableFloats dx) {
    map(dy, x, dx, [](Vec d, Vec v) {
      const Vec slope = v > Vec{} ? splat(1) : Vec{};
      return d * (v < Vec{} ? splat(-1) : v == v ? slope : v);
    });
  });
  m.def("tanh", [](Floats x, MutableFloats y) { map(x, y, [](Vec v) { return tanh(v); }); });
  m.def("tanh_back", [](Floats dy, Floats y, MutableFloats dx) {
    map(dy, y, dx, [](Vec d, Vec v) { return d * (1.0f - v * v); });
  });
  m.def("sigmoid", [](Floats x, MutableFloats y) { map(x, y, [](Vec v) { return sigmoid(v); }); });
  m.def("sigmoid_back", [](Floats dy, Floats y, MutableFloats dx) {
    map(dy, y, dx, [](Vec d, Vec v) { return d * ((1.0f - v) * v); });
  });
  m.def("softplus",
        [](Floats x, MutableFloats y) { map(x, y, [](Vec v) { return softplus(v); }); });
  m.def("softplus_back", [](Floats dy, Floats y, MutableFloats dx) {
    map(dy, y, dx, [](Vec d, Vec v) { return d * -exp_less_one(-v); });
  });
}

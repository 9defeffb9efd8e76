// Elementwise powers, exponentials and logarithms, and their gradients.
#include <limits>

#include "arrays.h"
#include "bindings.h"
#include "elementwise.h"
#include "vecmath.h"

namespace nb = nanobind;

namespace {

void linear(Floats x, MutableFloats y, float scale, float shift, bool rectify) {
  const Vec low = splat(rectify ? 0 : -std::numeric_limits<float>::infinity());
  map(x, y, [=](Vec v) { return max(low, v * scale + shift); });
}

// Through a fused ReLU with the output y.
void linear_back(Floats dy, Floats y, MutableFloats dx, float scale) {
  map(dy, y, dx, [=](Vec d, Vec v) { return d * (v > Vec{} ? splat(scale) : Vec{}); });
}

void square(Floats x, MutableFloats y, float scale, float shift) {
  map(x, y, [=](Vec v) {
    const Vec base = v * scale + shift;
    return base * base;
  });
}

void square_back(Floats dy, Floats x, MutableFloats dx, float scale, float shift) {
  map(dy, x, dx, [=](Vec d, Vec v) { return d * ((v * scale + shift) * (2 * scale)); });
}

}  // namespace

void add_powers(nb::module_& m) {
  m.def("linear", &linear);
  m.def("linear_back", &linear_back);
  m.def("square", &square);
  m.def("square_back", &square_back);
  m.def("exp", [](Floats x, MutableFloats y) { map(x, y, [](Vec v) { return exp(v); }); });
  m.def("exponential", [](Floats x, MutableFloats y, float inner, float outer) {
    map(x, y, [=](Vec v) { return exp(v * inner) * outer; });
  });
  m.def("exponential_back", [](Floats dy, Floats y, MutableFloats dx, float inner) {
    map(dy, y, dx, [=](Vec d, Vec v) { return d * v * inner; });
  });
  m.def("reciprocal_back",
        [](Floats dy, Floats x, MutableFloats dx, float scale, float shift, float factor) {
          map(dy, x, dx, [=](Vec d, Vec v) { return d * (factor / (v * scale + shift)); });
        });
}

// Elementwise functions on vectors.
#pragma once

#include "arrays.h"
#include "sweep.h"

// y = f(x) for every element; y may be x.
template <class F>
void map(const Floats& x, const MutableFloats& y, F f) {
  const Index n = static_cast<Index>(x.size());
  Unlocked free(n);
  const float* from = x.data();
  float* to = y.data();
  spread(n, [=](Index i, auto part) { part.store(to + i, f(part.load(from + i))); });
}

// dx = f(dy, v), with v the value of x or y that determines the slope.
template <class F>
void map(const Floats& dy, const Floats& v, const MutableFloats& dx, F f) {
  const Index n = static_cast<Index>(dy.size());
  Unlocked free(n);
  const float *d = dy.data(), *value = v.data();
  float* to = dx.data();
  spread(n, [=](Index i, auto part) {
    part.store(to + i, f(part.load(d + i), part.load(value + i)));
  });
}

// Elementwise functions on vectors.
#pragma once

#include "arrays.h"
#include "sweep.h"

// y = f(x) for every element; y may be x.
template <class T, class F>
void map(const Values<T>& x, const MutableValues<T>& y, F f) {
  const Index n = static_cast<Index>(x.size());
  Unlocked free(n);
  const T* from = x.data();
  T* to = y.data();
  spread(n, [=](Index i, auto part) { part.store(to + i, f(part.load(from + i))); });
}

// dx = f(dy, v), with v the value of x or y that determines the slope.
template <class T, class F>
void map(const Values<T>& dy, const Values<T>& v, const MutableValues<T>& dx, F f) {
  const Index n = static_cast<Index>(dy.size());
  Unlocked free(n);
  const T *d = dy.data(), *value = v.data();
  T* to = dx.data();
  spread(n, [=](Index i, auto part) {
    part.store(to + i, f(part.load(d + i), part.load(value + i)));
  });
}

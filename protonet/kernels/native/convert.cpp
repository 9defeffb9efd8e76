// Conversion between float32 and bfloat16.
#include "arrays.h"
#include "bindings.h"
#include "sweep.h"

namespace nb = nanobind;

namespace {

template <class From, class To>
void convert(Values<From> x, MutableValues<To> y) {
  const Index n = static_cast<Index>(x.size());
  Unlocked free(n);
  const From* from = x.data();
  To* to = y.data();
  spread(n, [=](Index i, auto part) { part.store(to + i, part.load(from + i)); });
}

}  // namespace

void add_convert(nb::module_& m) {
  m.def("narrow", &convert<float, Bf16>);
  m.def("widen", &convert<Bf16, float>);
}

// Pooling over images of pixels. Planes from pixels and back.
#include <nanobind/nanobind.h>

#include "arrays.h"
#include "bindings.h"
#include "pixel_arrange.h"
#include "pixel_pool.h"

namespace nb = nanobind;

#if defined(__AVX2__)

namespace {

// Per task, in whole vectors.
Index places_per_task(Index all) {
  constexpr Index kMost = 256;
  return std::clamp(whole_vectors(all / (8 * threads())), kLanes, kMost);
}

// From planes of P to pixels of T, and back.
template <class P, class T>
void to_pixels(Values<P> x, MutableValues<T> y, Index images, Index channels, Index places) {
  const Index each = places_per_task(images * places), parts = (places + each - 1) / each;
  parallel(images * parts, [&](Index task) {
    const Index n = task / parts * channels * places, p = task % parts * each;
    planes_to_pixels(x.data() + n + p, places, channels, std::min(each, places - p),
                     y.data() + n + p * channels, channels);
  });
}

template <class T, class P>
void to_planes(Values<T> x, MutableValues<P> y, Index images, Index channels, Index places) {
  const Index each = places_per_task(images * places), parts = (places + each - 1) / each;
  parallel(images * parts, [&](Index task) {
    const Index n = task / parts * channels * places, p = task % parts * each;
    pixels_to_planes(x.data() + n + p * channels, channels, std::min(each, places - p),
                     y.data() + n + p, places);
  });
}

template <class T>
void define(nb::module_& m) {
  using Free = nb::call_guard<nb::gil_scoped_release>;
  using PixelPool = PixelPoolOf<T>;
  nb::class_<PixelPool>(m, "PixelPool")
      .def("__init__", &construct_over<PixelPool>)
      .def("greatest", &PixelPool::greatest, Free())
      .def("mean", &PixelPool::mean, Free());
  m.def("to_pixels", &to_pixels<T, T>, Free());
  m.def("to_planes", &to_planes<T, T>, Free());
}

}  // namespace

void add_pixel_windows(nb::module_& outer) {
  for_each_pixel_type(outer, [](auto type, nb::module_& here) { define<decltype(type)>(here); });
#if defined(__AVX512F__)
  using Free = nb::call_guard<nb::gil_scoped_release>;
  nb::module_ m = nb::cast<nb::module_>(outer.attr("bfloat16"));
  m.def("narrow_to_pixels", &to_pixels<float, Bf16>, Free());
  m.def("widen_to_planes", &to_planes<Bf16, float>, Free());
#endif
}

#else

void add_pixel_windows(nb::module_&) {}

#endif

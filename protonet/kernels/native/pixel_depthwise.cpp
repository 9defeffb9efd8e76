// Depthwise convolution over images of pixels.
#include "bindings.h"
#include "pixel_depthwise.h"

#include <nanobind/nanobind.h>

namespace nb = nanobind;

#if defined(__AVX2__)

namespace {

template <class T>
void define(nb::module_& m) {
  using Free = nb::call_guard<nb::gil_scoped_release>;
  using PixelDepthwise = PixelDepthwiseOf<T>;
  nb::class_<PixelDepthwise>(m, "PixelDepthwise")
      .def("__init__", &construct_over<PixelDepthwise>)
      .def("packed_size", &PixelDepthwise::packed_size, "Of packed weights.")
      .def("pack", &PixelDepthwise::pack, Free())
      .def("forward", &PixelDepthwise::forward, nb::arg("x"), nb::arg("packed"),
           nb::arg("factor").none(), nb::arg("bias").none(), nb::arg("y"), nb::arg("rectify"),
           Free());
}

}  // namespace

void add_pixel_depthwise(nb::module_& m) {
  for_each_pixel_type(m, [](auto type, nb::module_& here) { define<decltype(type)>(here); });
}

#else

void add_pixel_depthwise(nb::module_&) {}

#endif

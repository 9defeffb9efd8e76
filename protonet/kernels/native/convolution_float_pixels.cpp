// Convolution of images whose channels are adjacent (pixels), with packed weights.
#include <nanobind/nanobind.h>

#include "convolution_float_pixels.h"

namespace nb = nanobind;

#if defined(__AVX512F__)

void add_convolution_float_pixels(nb::module_& m) {
  nb::class_<FloatPixelConvolution>(m, "PixelConvolution")
      .def("__init__", &construct_convolution<FloatPixelConvolution, bool>,
           nb::call_guard<nb::gil_scoped_release>())
      .def("packed_size", &FloatPixelConvolution::packed_size)
      .def("packed_form", &FloatPixelConvolution::packed_form)
      .def("pack", &FloatPixelConvolution::pack, nb::call_guard<nb::gil_scoped_release>())
      .def("forward",
           [](const FloatPixelConvolution& self, Floats x, Floats packed, Given factor, Given bias,
              Given addend, Pixels<float> y, Index pixel, bool rectify) {
             nb::gil_scoped_release free;
             float* to = y.data();
             const bool streams = leaves_caches(y) && self.fills_lines(pixel, to);
             self.forward(x, packed,
                          {at(factor), at(bias), rectify, at(addend), to, pixel, streams}, to);
           },
           nb::arg("x"), nb::arg("packed"), nb::arg("factor").none(), nb::arg("bias").none(),
           nb::arg("addend").none(), nb::arg("y"), nb::arg("pixel"), nb::arg("rectify"));
}

#else

void add_convolution_float_pixels(nb::module_&) {}

#endif

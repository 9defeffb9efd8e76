// Pixels by vectors, see convolution_pixel_vectors.h.
#include <nanobind/nanobind.h>

#include "bindings.h"
#include "convolution_pixel_vectors.h"

namespace nb = nanobind;

#if defined(__AVX2__)

namespace {

template <class T>
void define(nb::module_& m) {
  using Some = PixelVectors<T>;
  using Word = typename Some::Word;
  nb::class_<Some>(m, "PixelVectors")
      .def("__init__", &construct_convolution<Some, bool>,
           nb::call_guard<nb::gil_scoped_release>())
      .def("packed_size", &Some::packed_size, "Of packed weights, in words.")
      .def("packed_form", &Some::packed_form)
      .def("pack", &Some::pack, nb::call_guard<nb::gil_scoped_release>())
      .def("forward",
           [](const Some& self, Values<T> x, Values<Word> packed, Given factor, Given bias,
              GivenValues<T> addend, Pixels<T> y, Index pixel, bool rectify) {
             nb::gil_scoped_release free;
             T* to = y.data();
             const bool streams = leaves_caches(y) && self.fills_lines(pixel, to);
             self.forward(x, packed,
                          {at(factor), at(bias), rectify, at(addend), to, pixel, streams}, to);
           },
           nb::arg("x"), nb::arg("packed"), nb::arg("factor").none(), nb::arg("bias").none(),
           nb::arg("addend").none(), nb::arg("y"), nb::arg("pixel"), nb::arg("rectify"));
}

}  // namespace

void add_convolution_pixel_vectors(nb::module_& m) {
  for_each_pixel_type(m, [](auto type, nb::module_& here) { define<decltype(type)>(here); });
}

#else

void add_convolution_pixel_vectors(nb::module_&) {}

#endif

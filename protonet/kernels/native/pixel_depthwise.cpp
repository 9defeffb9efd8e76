// Depthwise convolution over images of pixels.
#include "bindings.h"
#include "pixel_depthwise.h"

#include <nanobind/nanobind.h>

namespace nb = nanobind;

#if defined(__AVX2__)

template <class T>
void PixelDepthwiseOf<T>::run(const Grid::Part& part, const T* x, Index ring,
                              const float* packed, const Epilogue& epilogue, bool far, T* y,
                              Index pixel) const {
  const bool three = rolls(g_);
  const Index together = three ? rows_together() : 1;
  for (Index done = 0, rows; done < part.rows; done += rows) {
    rows = std::min(together, part.rows - done);
    for (Index c = part.channel; c < part.channel + part.channels; c += kCount) {
      const Place<T> place{x + c, ring, packed + c * taps(), y + done * g_.out.x * pixel + c,
                           pixel, Lanes<T>(g_.channels - c)};
      const Finish<T> finish(epilogue, c, place.lanes);
      const Index row = part.row + done;
      if (three && g_.stride.x == 1) roll_rows<1>(place, finish, row, rows, far);
      else if (three) roll_rows<2>(place, finish, row, rows, far);
      else others(place, finish, row);
    }
  }
}

template class PixelDepthwiseOf<float>;
#if defined(__AVX512F__)
template class PixelDepthwiseOf<Bf16>;
#endif

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

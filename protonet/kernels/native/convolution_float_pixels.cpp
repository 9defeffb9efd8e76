// Convolution of images whose channels are adjacent (pixels), with packed weights.
#include <nanobind/nanobind.h>

#include <cstdint>
#include <memory>
#include <typeinfo>
#include <utility>

#include "arrays.h"
#include "bindings.h"
#include "convolution_correlation.h"
#include "convolution_pixel_rows.h"
#include "convolution_winograd.h"

namespace nb = nanobind;

#if defined(__AVX512F__)

namespace {

class FloatPixelConvolution {
 public:
  // `planes`: images come as planes, and leave as pixels all the same.
  FloatPixelConvolution(const ConvolutionShape& s, bool planes) : s_(s), planes_(planes) {
    if (!planes) add_winograd<winograd::F43>();
    if (!planes) add_winograd<winograd::F25>();
    if (way_ == nullptr) way_ = std::make_shared<PixelRows>(s, planes);
  }

  Index packed_size() const { return s_.groups * way_->packed_size(); }
  // Convolutions of equal weights and an equal form take what each other has packed.
  const char* packed_form() const { return typeid(*way_).name(); }

  void pack(Floats w, MutableFloats to) const {
    for (Index g = 0; g < s_.groups; ++g)
      way_->pack(w.data() + s_.w_group(g), to.data() + g * way_->packed_size());
  }

  void forward(Floats x, Floats packed, const Epilogue& epilogue, float* y) const {
    const Index from = planes_ ? s_.x_group(1) : s_.group_channels(), to = s_.group_outputs();
    for (Index g = 0; g < s_.groups; ++g)
      way_->run_packed(x.data() + g * from, packed.data() + g * way_->packed_size(),
                       y + g * to, epilogue.from(g * to));
  }

  // Whether results are whole lines of the cache.
  bool fills_lines(Index pixel, const float* y) const {
    return pixel % kLanes == 0 && s_.group_outputs() % kLanes == 0 &&
           reinterpret_cast<std::uintptr_t>(y) % sizeof(Vec) == 0;
  }

 private:
  // Square kernels with stride 1, where Winograd is estimated to be faster.
  template <class F>
  void add_winograd() {
    constexpr Index kernel = F::kKernel;
    if (!s_.has_squares(kernel)) return;
    const PlaneSet x{s_.group_channels(), s_.height, s_.width, s_.x_stride(), s_.channels};
    const PlaneSet y{s_.group_outputs(), s_.out.y, s_.out.x, s_.y_stride(), s_.outputs};
    const double direct =
        Correlation::cycles(static_cast<double>(s_.images) * s_.places(), s_.group_outputs(),
                            s_.group_channels() * s_.taps());
    const double travel = kTravel * static_cast<double>(x.count) * y.count;
    if (few_places() || Winograd<F>::packed_cycles(s_.images, x, y) + travel >= direct) return;
    constexpr Index size = kernel * kernel;
    way_ = std::make_shared<Winograd<F>>(s_.images, x, y, s_.pad,
                                         typename Winograd<F>::Weights{size * x.count, size, false});
  }

  // Cycles to read the transformed weights of a pair of channels from memory, where they meet few
  // places; measured.
  static constexpr double kTravel = 20;

  // Whether too few places are computed to fill the tiles of Winograd.
  bool few_places() const { return s_.images * s_.places() <= 64; }

  ConvolutionShape s_;
  bool planes_;
  std::shared_ptr<const PackedWay> way_;
};

}  // namespace

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

// Convolution of images whose channels are adjacent (pixels), with packed weights, by vectors.
#include <nanobind/nanobind.h>

#include <cstdint>
#include <memory>
#include <typeinfo>
#include <utility>

#include "arrays.h"
#include "convolution_correlation.h"
#include "convolution_pixel_rows.h"
#include "convolution_winograd.h"

namespace nb = nanobind;

#if defined(__AVX512F__)

namespace {

// Winograd of values of type T; products are of float32, and so is what is packed.
template <class T, class F>
class PixelWinograd final : public PackedWayOf<T> {
 public:
  using Word = typename Operand<T>::Word;

  PixelWinograd(Index images, PlaneSet x, PlaneSet y, Tap pad)
      : way_(images, x, y, pad, {kTaps * x.count, kTaps, false}) {}

  Index packed_size() const override { return way_.packed_size(); }
  void pack(const float* w, Word* to) const override {
    way_.pack(w, reinterpret_cast<float*>(to));
  }
  void run_packed(const T* x, const Word* packed, T* y,
                  const EpilogueOf<T>& epilogue) const override {
    way_.run_values(x, reinterpret_cast<const float*>(packed), y, epilogue);
  }

 private:
  static constexpr Index kTaps = F::kKernel * F::kKernel;
  Winograd<F> way_;
};

template <class T>
class PixelVectors {
 public:
  using Word = typename Operand<T>::Word;

  // `planes`: images come as planes, and leave as pixels all the same.
  PixelVectors(const ConvolutionShape& s, bool planes) : s_(s), planes_(planes) {
    if (!planes) add_winograd<winograd::F43>();
    if (!planes) add_winograd<winograd::F25>();
    if (way_ == nullptr) way_ = std::make_shared<PixelRows<T>>(s, planes);
  }

  Index packed_size() const { return s_.groups * way_->packed_size(); }
  // Convolutions of equal weights and an equal form take what each other has packed.
  const char* packed_form() const { return typeid(*way_).name(); }

  void pack(Floats w, MutableValues<Word> to) const {
    for (Index g = 0; g < s_.groups; ++g)
      way_->pack(w.data() + s_.w_group(g), to.data() + g * way_->packed_size());
  }

  void forward(Values<T> x, Values<Word> packed, const EpilogueOf<T>& epilogue, T* y) const {
    const Index from = planes_ ? s_.x_group(1) : s_.group_channels(), to = s_.group_outputs();
    for (Index g = 0; g < s_.groups; ++g)
      way_->run_packed(x.data() + g * from, packed.data() + g * way_->packed_size(),
                       y + g * to, epilogue.from(g * to));
  }

  // Whether results are whole lines of the cache.
  bool fills_lines(Index pixel, const T* y) const {
    constexpr Index line = kLanes * Operand<T>::kValues;
    return pixel % line == 0 && s_.group_outputs() % line == 0 &&
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
                            s_.group_channels() * s_.taps()) /
        Operand<T>::kValues;
    const double travel = kTravel * static_cast<double>(x.count) * y.count;
    if (few_places() || Winograd<F>::packed_cycles(s_.images, x, y) + travel >= direct) return;
    way_ = std::make_shared<PixelWinograd<T, F>>(s_.images, x, y, s_.pad);
  }

  // Cycles to read the transformed weights of a pair of channels from memory, where they meet few
  // places; measured.
  static constexpr double kTravel = 20;

  // Whether too few places are computed to fill the tiles of Winograd.
  bool few_places() const { return s_.images * s_.places() <= 64; }

  ConvolutionShape s_;
  bool planes_;
  std::shared_ptr<const PackedWayOf<T>> way_;
};

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
  for_each_type(m, [](auto type, nb::module_& here) { define<decltype(type)>(here); });
}

#else

void add_convolution_pixel_vectors(nb::module_&) {}

#endif

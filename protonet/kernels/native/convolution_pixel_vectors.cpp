// Pixels by vectors, see convolution_pixel_vectors.h.
#include <nanobind/nanobind.h>

#include "bindings.h"
#include "convolution_correlation.h"
#include "convolution_pixel_rows.h"
#include "convolution_pixel_vectors.h"
#include "convolution_winograd.h"
#include "convolution_winograd_planes.h"

namespace nb = nanobind;

#if defined(__AVX2__)

namespace {

// Winograd of values of type T; products are of float32, and so is what is packed.
template <class T, class F>
class PixelWinograd final : public PixelWayOf<T> {
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
  void run_rows(const T* x, Index first, Index count, const Word* packed, T* y,
                const EpilogueOf<T>& epilogue) const override {
    way_.run_rows(x, first, count, reinterpret_cast<const float*>(packed), y, epilogue);
  }
  Index row_step() const override { return F::kOut; }

 private:
  static constexpr Index kTaps = F::kKernel * F::kKernel;
  Winograd<F> way_;
};

}  // namespace

template <class T>
template <class F>
void PixelVectors<T>::add_winograd() {
  constexpr Index kernel = F::kKernel;
  if (!s_.has_squares(kernel)) return;
  const PlaneSet x{s_.group_channels(), s_.height, s_.width, s_.x_stride(), s_.channels};
  const PlaneSet y{s_.group_outputs(), s_.out.y, s_.out.x, s_.y_stride(), s_.outputs};
  const double direct =
      Correlation::cycles(static_cast<double>(s_.images) * s_.places(), s_.group_outputs(),
                          s_.group_channels() * s_.taps()) /
      Operand<T>::kValues;
  const Index pairs = x.count * y.count;
  // As many as fill the L2 cache travel at no cost that counts; not measured with AVX-512.
  const bool few = kLanes < 16 && winograd::kPlaces * pairs * Index{sizeof(float)} <= kL2Cache;
  if (few_places() && !few) return;
  const double travel = few ? 0 : kTravel * static_cast<double>(pairs);
  if (Winograd<F>::packed_cycles(s_.images, x, y) + travel >= direct) return;
  way_ = std::make_shared<PixelWinograd<T, F>>(s_.images, x, y, s_.pad);
}

template <class T>
template <class F>
void PixelVectors<T>::add_winograd_of_planes() {
  if constexpr (std::is_same_v<T, float>)
    if (WinogradPlanes<F>::pays(s_)) way_ = std::make_shared<WinogradPlanes<F>>(s_);
}

template <class T>
PixelVectors<T>::PixelVectors(const ConvolutionShape& s, bool planes) : s_(s), planes_(planes) {
  planes ? add_winograd_of_planes<winograd::F43>() : add_winograd<winograd::F43>();
  planes ? add_winograd_of_planes<winograd::F25>() : add_winograd<winograd::F25>();
  if (way_ == nullptr) way_ = std::make_shared<PixelRows<T>>(s, planes);
}

template class PixelVectors<float>;
#if defined(__AVX512F__)
template class PixelVectors<Bf16>;
#endif

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

// Convolution of images whose channels are adjacent (pixels), with packed weights, by vectors.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "arrays.h"
#include "convolution_correlation.h"
#include "convolution_pixel_rows.h"
#include "convolution_winograd.h"
#include "convolution_winograd_planes.h"

#if defined(__AVX2__)

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

template <class T>
class PixelVectors {
 public:
  using Word = typename Operand<T>::Word;

  // `planes`: images come as planes, and leave as pixels all the same.
  PixelVectors(const ConvolutionShape& s, bool planes) : s_(s), planes_(planes) {
    planes ? add_winograd_of_planes<winograd::F43>() : add_winograd<winograd::F43>();
    planes ? add_winograd_of_planes<winograd::F25>() : add_winograd<winograd::F25>();
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

  // Of one group: the rows of one image from `first` on, in the calling thread; see PixelWayOf.
  void run_rows(const T* x, Index first, Index count, const Word* packed, T* y,
                const EpilogueOf<T>& epilogue) const {
    way_->run_rows(x, first, count, packed, y, epilogue);
  }
  Index row_step() const { return way_->row_step(); }

  const ConvolutionShape& shape() const { return s_; }

  // Whether results are whole lines of the cache.
  bool fills_lines(Index pixel, const T* y) const {
    constexpr Index line = 64 / sizeof(T);
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

  template <class F>
  void add_winograd_of_planes() {
    if constexpr (std::is_same_v<T, float>)
      if (WinogradPlanes<F>::pays(s_)) way_ = std::make_shared<WinogradPlanes<F>>(s_);
  }

  // Cycles to read the transformed weights of a pair of channels from memory, where they meet few
  // places; measured.
  static constexpr double kTravel = 20;

  // Whether too few places are computed to fill the tiles of Winograd.
  bool few_places() const { return s_.images * s_.places() <= 64; }

  ConvolutionShape s_;
  bool planes_;
  std::shared_ptr<const PixelWayOf<T>> way_;
};

#endif

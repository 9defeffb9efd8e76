// Convolution in two spatial axes: selects an algorithm for each of the three passes.
#include <nanobind/nanobind.h>

#include <cstdint>
#include <memory>
#include <typeinfo>
#include <utility>

#include "arrays.h"
#include "bindings.h"
#include "convolution_outputs.h"
#include "convolution_places.h"
#include "convolution_plain.h"
#include "convolution_planes.h"
#include "convolution_scatter.h"
#include "convolution_shallow.h"
#include "convolution_winograd.h"

namespace nb = nanobind;

namespace {

class Convolution {
 public:
  explicit Convolution(const ConvolutionShape& s)
      : s_(s), backward_cycles_(plain_cycles(s.plane())) {
    add_winograd<winograd::F43>();
    add_winograd<winograd::F25>();
    if (Scatter::cycles(s) < backward_cycles_) backward_ = std::make_shared<Scatter>(s);
    if (forward_ == nullptr && Shallow::pays(s)) take_forward(std::make_shared<Shallow>(s));
    if (packed_ == nullptr && PlaceLanes::pays(s))
      packed_ = std::make_shared<PlaceLanes>(s);
    else if (packed_ == nullptr && (forward_ == nullptr || few_places()) &&
             OutputLanes::pays_packed(s))
      packed_ = std::make_shared<OutputLanes>(s);
    if (forward_ == nullptr) {
      if (LargePlanes::pays(s))
        forward_ = std::make_shared<LargePlanes>(s);
      else if (OutputLanes::pays(s))
        forward_ = std::make_shared<OutputLanes>(s);
      else
        forward_ = std::make_shared<PlainForward>(s);
      learn_ = std::make_shared<PlainLearn>(s);
    }
    if (backward_ != nullptr) return;
    if (LargePlanes::pays(s))
      backward_ = std::make_shared<LargePlanes>(OutputLanes::turned(s),
                                                LargePlanes::Rows::kChannels);
    else if (OutputLanes::pays_backward(s))
      backward_ = std::make_shared<OutputLanes>(OutputLanes::turned(s),
                                                OutputLanes::Rows::kChannels);
    else
      backward_ = std::make_shared<PlainBackward>(s);
  }

  void forward(Floats x, Floats w, const Epilogue& epilogue, MutableFloats y) const {
    for (Index g = 0; g < s_.groups; ++g)
      forward_->run(x.data() + s_.x_group(g), w.data() + s_.w_group(g), y.data() + s_.y_group(g),
                    epilogue.from(g * s_.group_outputs()));
  }

  // For weights that are used often: floats of their packed form, 0 where there is none.
  Index packed_size() const {
    return packed_ == nullptr ? 0 : s_.groups * packed_->packed_size() + kLine;
  }

  // Convolutions of equal weights and an equal form take what each other has packed.
  const char* packed_form() const { return packed_ == nullptr ? "" : typeid(*packed_).name(); }

  void pack(Floats w, MutableFloats to) const {
    for (Index g = 0; g < s_.groups; ++g)
      packed_->pack(w.data() + s_.w_group(g), group_of(to.data(), g));
  }

  void forward_packed(Floats x, Floats packed, const Epilogue& epilogue, MutableFloats y) const {
    for (Index g = 0; g < s_.groups; ++g)
      packed_->run_packed(x.data() + s_.x_group(g), group_of(packed.data(), g),
                          y.data() + s_.y_group(g), epilogue.from(g * s_.group_outputs()));
  }

  void backward(Floats dy, Floats w, MutableFloats dx) const {
    for (Index g = 0; g < s_.groups; ++g)
      backward_->run(dy.data() + s_.y_group(g), w.data() + s_.w_group(g),
                     dx.data() + s_.x_group(g), {});
  }

  // dw += dy times the values under the taps, summed over images and places.
  void learn(Floats dy, Floats x, MutableFloats dw) const {
    for (Index g = 0; g < s_.groups; ++g)
      learn_->learn(x.data() + s_.x_group(g), dy.data() + s_.y_group(g),
                    dw.data() + s_.w_group(g));
  }

 private:
  static constexpr Index kLine = 16;  // floats of a cache line, to which groups are aligned

  // The packed weights of a group.
  template <class T>
  T* group_of(T* packed, Index g) const {
    const auto after = reinterpret_cast<std::uintptr_t>(packed) / sizeof(float) % kLine;
    return packed + (kLine - after) % kLine + g * packed_->packed_size();
  }

  // Kernels whose transformed weights, four times as large, are kept for a single image; with more
  // of them reading them is what takes the time.
  static constexpr Index kKeptPairs = 1 << 16;

  // Whether too few places are computed to fill the tiles of Winograd; measured.
  bool few_places() const {
    return s_.images * s_.places() <= (s_.group_channels() < 32 ? 256 : 64);
  }

  // Estimated cycles of the direct algorithm for this many places per image, at stride 1.
  double plain_cycles(Index of_image) const {
    return Correlation::cycles(static_cast<double>(s_.images) * of_image, s_.group_outputs(),
                               s_.group_channels() * s_.taps());
  }

  // Use one algorithm for both the forward and the weight pass; they share its tables.
  template <class W>
  void take_forward(std::shared_ptr<W> way) {
    forward_ = way;
    learn_ = std::move(way);
  }

  // Square kernels with stride 1, where Winograd is estimated to be faster.
  template <class F>
  void add_winograd() {
    constexpr Index kernel = F::kKernel, size = kernel * kernel;
    if (!s_.has_squares(kernel)) return;
    using Fast = Winograd<F>;
    const PlaneSet x{s_.group_channels(), s_.height, s_.width, s_.x_stride()};
    const PlaneSet y{s_.group_outputs(), s_.out.y, s_.out.x, s_.y_stride()};
    const double plain = plain_cycles(s_.places());
    const bool pays = Fast::cycles(s_.images, x, y) < plain;
    const bool pays_packed =
        !few_places() && Fast::packed_cycles(s_.images, x, y) < plain &&
        (s_.images > 1 || s_.groups * x.count * y.count <= kKeptPairs);
    if (pays || pays_packed) {
      auto way = std::make_shared<Fast>(s_.images, x, y, s_.pad,
                                        typename Fast::Weights{size * x.count, size, false});
      if (pays) take_forward(way);
      if (pays_packed) packed_ = std::move(way);
    }
    const auto go_back = [&](Tiles kind, Tap pad, bool turned) {
      const double cycles = Fast::cycles(s_.images, y, x, kind);
      if (cycles >= backward_cycles_) return;
      backward_cycles_ = cycles;
      backward_ = std::make_shared<Fast>(s_.images, y, x, pad,
                                         typename Fast::Weights{size, size * x.count, turned}, kind);
    };
    go_back(Tiles::kGathered, {kernel - 1 - s_.pad.y, kernel - 1 - s_.pad.x}, true);
    go_back(Tiles::kScattered, s_.pad, false);
  }

  ConvolutionShape s_;
  double backward_cycles_;  // estimate for the best backward algorithm so far
  std::shared_ptr<const Way> forward_, backward_;
  std::shared_ptr<const LearnWay> learn_;
  std::shared_ptr<const PackedWay> packed_;
};

}  // namespace

void add_convolution(nb::module_& m) {
  nb::class_<Convolution>(m, "Convolution")
      .def("__init__", &construct_convolution<Convolution>,
           nb::call_guard<nb::gil_scoped_release>())
      .def("forward",
           [](const Convolution& self, Floats x, Floats w, Given factor, Given bias,
              MutableFloats y, bool rectify, Given addend) {
             nb::gil_scoped_release free;
             self.forward(x, w, {at(factor), at(bias), rectify, at(addend), y.data()}, y);
           },
           nb::arg("x"), nb::arg("w"), nb::arg("factor").none(), nb::arg("bias").none(),
           nb::arg("y"), nb::arg("rectify"), nb::arg("addend").none() = nb::none())
      .def("packed_size", &Convolution::packed_size)
      .def("packed_form", &Convolution::packed_form)
      .def("pack", &Convolution::pack, nb::call_guard<nb::gil_scoped_release>())
      .def("forward_packed",
           [](const Convolution& self, Floats x, Floats packed, Given factor, Given bias,
              MutableFloats y, bool rectify, Given addend) {
             nb::gil_scoped_release free;
             self.forward_packed(x, packed, {at(factor), at(bias), rectify, at(addend), y.data()},
                                 y);
           },
           nb::arg("x"), nb::arg("packed"), nb::arg("factor").none(), nb::arg("bias").none(),
           nb::arg("y"), nb::arg("rectify"), nb::arg("addend").none() = nb::none())
      .def("backward", &Convolution::backward, nb::call_guard<nb::gil_scoped_release>())
      .def("learn", &Convolution::learn, nb::call_guard<nb::gil_scoped_release>());
}

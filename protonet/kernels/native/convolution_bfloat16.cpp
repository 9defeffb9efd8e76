// Convolution of bfloat16 in two spatial axes, with weights and their gradients in float32.
#include <nanobind/nanobind.h>

#include <optional>
#include <stdexcept>
#include <utility>

#include "arrays.h"
#include "bindings.h"
#include "convolution_pixel_rows.h"
#include "convolution_remainders.h"
#include "convolution_way.h"
#include "pair_correlation.h"
#include "pair_learn.h"

namespace nb = nanobind;

#if defined(__AVX512F__)

namespace {

class PairConvolution {
 public:
  explicit PairConvolution(const ConvolutionShape& s)
      : s_(s), forward_(s.gather(), s.images, s.group_channels(), s.out.y, s.out.x, s.y_stride(),
                        Tap{0, 0}, Tap{1, 1}),
        backward_(s), learn_(s), panels_(s.group_outputs(), forward_.depth()) {
    const bool alone = s.plane() == 1 && s.taps() == 1 && s.places() == 1 && s.groups == 1;
    if (alone && !features().tiles_bf16) rows_.emplace(s, false);
  }

  PairConvolution(const PairConvolution&) = delete;

  // Of weights that are packed once.
  const char* kept_form() const { return rows_ ? "words" : "pairs"; }
  Index kept_size() const { return rows_ ? rows_->packed_size() : packed_size(); }

  void keep(const float* w, Pair* to) const {
    if (rows_) rows_->pack(w, to);
    else pack(w, to);
  }

  void forward_kept(const Bf16* x, const Pair* kept, const Epilogue& epilogue, Bf16* y) const {
    if (!rows_) return forward(x, kept, epilogue, y);
    rows_->run_packed(x, kept, y, {epilogue.factor, epilogue.bias, epilogue.rectify, nullptr, y,
                                   s_.outputs});
  }

  // In words: the size of `pack`ed weights.
  Index packed_size() const { return s_.groups * panels_.size(); }

  void pack(const float* w, Pair* packed) const {
    const Index rows = s_.group_outputs();
    parallel(s_.groups * rows, [&](Index i) {
      const Index g = i / rows;
      pack_row(w + s_.w_group(g), i % rows, packed + g * panels_.size());
    });
  }

  // Packed weights for one pass.
  const Pair* packed(const float* w) const {
    Pair* to = scratch(Scratch::kWeights, packed_size());
    pack(w, to);
    return to;
  }

  void forward(const Bf16* x, const Pair* packed, const Epilogue& epilogue, Bf16* y) const {
    for (Index g = 0; g < s_.groups; ++g)
      forward_.run(packed + g * panels_.size(), panels_, x + s_.x_group(g), s_.x_stride(),
                   y + s_.y_group(g), epilogue.from(g * s_.group_outputs()));
  }

  void backward(Values<Bf16> dy, Floats w, MutableValues<Bf16> dx) const {
    const Index channels = s_.group_channels();
    for (Index g = 0; g < s_.groups; ++g) {
      backward_.clear_rest(dx.data() + s_.x_group(g));
      for (const auto& each : backward_.all()) {
        const PairPanels panels(channels, each.correlation->depth());
        Pair* packed = scratch(Scratch::kWeights, panels.size());
        const Index tiles = panels.tiles();
        parallel(tiles, [&](Index tile) {
          pack_transposed_rows(w.data() + s_.w_group(g), each.taps, tile * kPairSide, panels,
                               packed);
        });
        each.correlation->run(packed, panels, dy.data() + s_.y_group(g), s_.y_stride(),
                              dx.data() + s_.x_group(g), {});
      }
    }
  }

  void learn(Values<Bf16> dy, Values<Bf16> x, MutableFloats dw) const {
    for (Index g = 0; g < s_.groups; ++g)
      learn_.learn(x.data() + s_.x_group(g), dy.data() + s_.y_group(g),
                   dw.data() + s_.w_group(g));
  }

 private:
  static Pair* scratch(Scratch which, Index count) {
    return reinterpret_cast<Pair*>(thread_scratch(which, static_cast<std::size_t>(count)));
  }

  // Floats as the two halves of pairs.
  static Vec pair_up(Vec lower, Vec upper) {
    return reinterpret_cast<Vec>(words_of(narrow(lower)) | words_of(narrow(upper)) << 16);
  }

  // Row m: over pairs of channels and taps, w[m][channel][tap].
  void pack_row(const float* w, Index m, Pair* packed) const {
    const Index channels = s_.group_channels(), taps = s_.taps();
    Pair* line = scratch(Scratch::kPlane, panels_.steps * kPairStep + kPairStep);
    std::fill_n(line, panels_.steps * kPairStep, Pair{0});
    const float* row = w + m * channels * taps;
    if (taps == 1) {
      auto* values = reinterpret_cast<Bf16*>(line);
      for (Index c = 0; c < channels; c += kLanes) {
        const Index here = std::min(kLanes, channels - c);
        store_some(values + c, load_some(row + c, here), here);
      }
    } else {
      const Index count = channels * taps;
      auto* rounded = reinterpret_cast<Bf16*>(scratch(Scratch::kTiles, count / 2 + taps + kLanes));
      for (Index i = 0; i < count; i += kLanes) {
        const Index here = std::min(kLanes, count - i);
        store(rounded + i, here == kLanes ? load(row + i) : load_some(row + i, here));
      }
      std::fill_n(rounded + count, taps + kLanes, Bf16{});  // the partner of an odd channel
      const auto words = [&](Index i) {
        return words_of(*reinterpret_cast<const LooseHalves*>(rounded + i));
      };
      // What is written past the taps of a channel is overwritten by the next, or cut off.
      for (Index c = 0; c < channels; c += 2)
        for (Index t = 0; t < taps; t += kLanes)
          store(reinterpret_cast<float*>(line + c / 2 * taps + t),
                reinterpret_cast<Vec>(words(c * taps + t) | words((c + 1) * taps + t) << 16));
      std::fill(line + (channels + 1) / 2 * taps, line + panels_.steps * kPairStep, Pair{0});
    }
    panels_.put_row(m, line, packed);
  }

  // 16 rows c from `first` on: over pairs of outputs m and these taps, w[m][c][tap].
  void pack_transposed_rows(const float* w, const std::vector<Index>& taken, Index first,
                            const PairPanels& panels, Pair* packed) const {
    const Index channels = s_.group_channels(), outputs = s_.group_outputs(), taps = s_.taps();
    const Index here = static_cast<Index>(taken.size());
    const Index rows = std::min(kPairSide, channels - first), depth = (outputs + 1) / 2 * here;
    const Index panel = first / kPairRows, inside = first % kPairRows * kPairStep;
    const Mask places = Mask{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15} *
                        static_cast<std::int32_t>(taps);
    const auto lanes = static_cast<__mmask16>((1u << rows) - 1);
    const auto column = [&](Index m, Index t) {
      if (m >= outputs) return Vec{};
      const float* from = w + (m * channels + first) * taps + taken[static_cast<std::size_t>(t)];
      if (taps == 1) return reinterpret_cast<Vec>(_mm512_maskz_loadu_ps(lanes, from));
      return reinterpret_cast<Vec>(
          _mm512_mask_i32gather_ps(_mm512_setzero_ps(), lanes,
                                   reinterpret_cast<__m512i>(places), from, 4));
    };
    for (Index block = 0; block < panels.blocks(); ++block) {
      Pair* to = packed + panels.offset(block, panel) + inside;
      for (Index s = panels.begin(block); s < panels.begin(block + 1);
           ++s, to += panels.step(panel)) {
        Vec square[kLanes];
        for (Index i = 0; i < kPairStep; ++i) {
          const Index k = s * kPairStep + i, m = k / here * 2, t = k % here;
          square[i] = k < depth ? pair_up(column(m, t), column(m + 1, t)) : Vec{};
        }
        transpose(square);
        for (Index r = 0; r < kPairSide; ++r)
          store(reinterpret_cast<float*>(to + r * kPairStep), square[r]);
      }
    }
  }

  ConvolutionShape s_;
  PairCorrelation forward_;
  ByRemainder<PairCorrelation> backward_;
  PairLearn learn_;
  PairPanels panels_;
  std::optional<PixelRows<Bf16>> rows_;  // of images of one place, which are pixels as they are
};

}  // namespace

void add_convolution_bfloat16(nb::module_& outer) {
  nb::module_ m = nb::cast<nb::module_>(outer.attr("bfloat16"));
  nb::class_<PairConvolution>(m, "Convolution")
      .def("__init__", &construct_convolution<PairConvolution>,
           nb::call_guard<nb::gil_scoped_release>())
      .def("packed_size", &PairConvolution::kept_size, "Of packed weights, in words.")
      .def("packed_form", &PairConvolution::kept_form)
      .def("pack",
           [](const PairConvolution& self, Floats w, MutableValues<Pair> packed) {
             if (static_cast<Index>(packed.size()) != self.kept_size())
               throw std::invalid_argument("packed weights are of another size");
             nb::gil_scoped_release free;
             self.keep(w.data(), packed.data());
           })
      .def("forward",
           [](const PairConvolution& self, Values<Bf16> x, Floats w, Given factor, Given bias,
              MutableValues<Bf16> y, bool rectify) {
             nb::gil_scoped_release free;
             self.forward(x.data(), self.packed(w.data()), {at(factor), at(bias), rectify},
                          y.data());
           },
           nb::arg("x"), nb::arg("w"), nb::arg("factor").none(), nb::arg("bias").none(),
           nb::arg("y"), nb::arg("rectify"))
      .def("forward_packed",
           [](const PairConvolution& self, Values<Bf16> x, Values<Pair> packed, Given factor,
              Given bias, MutableValues<Bf16> y, bool rectify) {
             nb::gil_scoped_release free;
             self.forward_kept(x.data(), packed.data(), {at(factor), at(bias), rectify}, y.data());
           },
           nb::arg("x"), nb::arg("packed"), nb::arg("factor").none(), nb::arg("bias").none(),
           nb::arg("y"), nb::arg("rectify"))
      .def("backward", &PairConvolution::backward, nb::call_guard<nb::gil_scoped_release>())
      .def("learn", &PairConvolution::learn, nb::call_guard<nb::gil_scoped_release>());
}

#else

void add_convolution_bfloat16(nb::module_&) {}

#endif

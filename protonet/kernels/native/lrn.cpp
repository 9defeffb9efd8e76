// Local response normalization: x * s^-beta, with s from the squares of the neighbours.
#include <nanobind/nanobind.h>

#include <algorithm>

#include "arrays.h"
#include "bindings.h"
#include "edges.h"
#include "negative_power.h"
#include "pool.h"

namespace nb = nanobind;

namespace {

constexpr Index kChunk = 64;  // places processed through all channels at a time
constexpr Index kRange = 16384;  // values per task

// Across channels, for arrays of images x channels x places.
class AcrossChannels {
 public:
  AcrossChannels(Index images, Index channels, Index places, Index size, float alpha, float beta,
                 float k)
      : images_(images), channels_(channels), places_(places), half_(size / 2),
        chunks_((places + kChunk - 1) / kChunk), share_(alpha / static_cast<float>(size)),
        beta_(beta), k_(k), weight_(2 * alpha * beta / static_cast<float>(size)) {}

  // s is stored only where the backward pass needs it.
  template <class T>
  void forward(const T* x, T* y, float* scale) const {
    over_chunks([&](Index at, Index count) {
      for (Index c = 0; c < channels_; ++c)
        for (Index i = 0; i < count; i += kLanes) {
          const Index left = count - i;
          Vec sum{};
          for (Index o = first(c); o <= last(c); ++o) {
            const Vec value = load_first(x + at + o * places_ + i, left);
            sum += value * value;
          }
          const Vec s = k_ + share_ * sum;
          const Index here = at + c * places_ + i;
          if (scale != nullptr) store_first(scale + here, s, left);
          store_first(y + here, load_first(x + here, left) * negative_power(s, beta_), left);
        }
    });
  }

  template <class T>
  void backward(const T* dy, const T* x, const T* y, const float* scale, T* dx) const {
    over_chunks([&](Index at, Index count) {
      float* ratios = thread_scratch(Scratch::kPlane, channels_ * kChunk);
      for (Index c = 0; c < channels_; ++c)
        for (Index i = 0; i < count; i += kLanes) {
          const Index left = count - i, here = at + c * places_ + i;
          store(ratios + c * kChunk + i, load_first(dy + here, left) * load_first(y + here, left) /
                                             load_first(scale + here, left, splat(1)));
        }
      for (Index c = 0; c < channels_; ++c)
        for (Index i = 0; i < count; i += kLanes) {
          const Index left = count - i, here = at + c * places_ + i;
          Vec sum{};
          for (Index o = first(c); o <= last(c); ++o) sum += load(ratios + o * kChunk + i);
          const Vec factor = negative_power(load_first(scale + here, left, splat(1)), beta_);
          store_first(dx + here,
                      load_first(dy + here, left) * factor -
                          weight_ * sum * load_first(x + here, left),
                      left);
        }
    });
  }

 private:
  Index first(Index c) const { return std::max<Index>(0, c - half_); }
  Index last(Index c) const { return std::min(channels_ - 1, c + half_); }

  template <class F>
  void over_chunks(F&& body) const {
    const Index count = images_ * chunks_;
    const Index each = std::max<Index>(1, kRange / (channels_ * kChunk));
    parallel((count + each - 1) / each, [&](Index task) {
      for (Index chunk = task * each; chunk < std::min(count, (task + 1) * each); ++chunk) {
        const Index place = chunk % chunks_ * kChunk;
        body(chunk / chunks_ * channels_ * places_ + place, std::min(kChunk, places_ - place));
      }
    });
  }

  Index images_, channels_, places_, half_, chunks_;
  float share_, beta_, k_, weight_;
};

template <class F>
void over_vectors(Index count, F&& body) {
  parallel((count + kRange - 1) / kRange, [&](Index task) {
    for (Index i = task * kRange; i < std::min(count, (task + 1) * kRange); i += kLanes)
      body(i, count - i);
  });
}

// `scale` holds the means of squares, then s.
void within_forward(Floats x, MutableFloats scale, MutableFloats y, float alpha, float beta) {
  float* s = scale.data();
  over_vectors(static_cast<Index>(x.size()), [&](Index i, Index left) {
    const Vec sum = 1.0f + alpha * load_first(s + i, left);
    store_first(s + i, sum, left);
    store_first(y.data() + i, load_first(x.data() + i, left) * negative_power(sum, beta), left);
  });
}

// `sums` holds the windowed means of dy y / s.
void within_backward(Floats dy, Floats x, Floats scale, Floats sums, MutableFloats dx, float alpha,
                     float beta) {
  const float weight = 2 * alpha * beta;
  over_vectors(static_cast<Index>(x.size()), [&](Index i, Index left) {
    const Vec factor = negative_power(load_first(scale.data() + i, left, splat(1)), beta);
    store_first(dx.data() + i,
                load_first(dy.data() + i, left) * factor - weight *
                    load_first(sums.data() + i, left) * load_first(x.data() + i, left),
                left);
  });
}

template <class T>
struct AcrossChannelsOf : AcrossChannels {
  using AcrossChannels::AcrossChannels;
};

template <class T>
void define(nb::module_& m) {
  using AcrossChannels = AcrossChannelsOf<T>;
  nb::class_<AcrossChannels>(m, "AcrossChannels")
      .def(nb::init<Index, Index, Index, Index, float, float, float>())
      .def("forward",
           [](const AcrossChannels& self, Values<T> x, MutableValues<T> y,
              Taken scale) {
             nb::gil_scoped_release free;
             self.forward(x.data(), y.data(), scale ? scale->data() : nullptr);
           },
           nb::arg("x"), nb::arg("y"), nb::arg("scale").none())
      .def("backward",
           [](const AcrossChannels& self, Values<T> dy, Values<T> x, Values<T> y, Floats scale,
              MutableValues<T> dx) {
             nb::gil_scoped_release free;
             self.backward(dy.data(), x.data(), y.data(), scale.data(), dx.data());
           });
}

}  // namespace

void add_lrn(nb::module_& m) {
  for_each_type(m, [](auto type, nb::module_& here) { define<decltype(type)>(here); });
  m.def("within_forward", &within_forward, nb::call_guard<nb::gil_scoped_release>());
  m.def("within_backward", &within_backward, nb::call_guard<nb::gil_scoped_release>());
}

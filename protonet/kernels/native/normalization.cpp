// Batch normalization, optionally with a fused scale, bias and ReLU.
#include <cmath>
#include <limits>

#include "arrays.h"
#include "bindings.h"
#include "planes.h"

namespace nb = nanobind;

namespace {

// The value before the ReLU: both passes must compute the same sign.
inline Vec scaled(Vec normed, Vec scale, Vec bias) { return normed * scale + bias; }

// How many values of a channel estimate its mean, so that sums of squares do not cancel.
constexpr Index kGuess = 64;

template <class T>
class Normalization {
  // Writes y of the mean and the inverse that are there when a channel is processed.
  auto writing(const T* x, const float* s, const float* b, T* y, const float* mean,
               const float* inverse, bool rectify) const {
    const Vec least = splat(rectify ? 0 : -std::numeric_limits<float>::infinity());
    return [=](auto numbers) {
      const Vec centre = numbers.of(mean, 0), size = numbers.of(inverse, 1);
      const Vec factor = numbers.of(s, 1), shift = numbers.of(b, 0);
      return [=](Index offset, auto part) {
        const Vec normed = (part.load(x + offset) - centre) * size;
        part.store(y + offset, max(least, scaled(normed, factor, shift)));
      };
    };
  }

  // Mean and variance of each channel, after which `then` is called for it.
  template <class F>
  void measure(const T* x, float* mean, float* variances, F&& then) const {
    guess(x, mean);
    const double count = static_cast<double>(planes_.values());
    reduce<2>(
        planes_,
        [=](auto numbers) {
          const Vec centre = numbers.of(mean, 0);
          return [=](Index offset, auto part, Vec(&sums)[2]) {
            const Vec d = part.keep(part.load(x + offset) - centre);
            sums[0] += d;
            sums[1] += d * d;
          };
        },
        [&](Index channel, const double* sums) {
          const double shift = sums[0] / count;
          const double variance = sums[1] / count - shift * shift;  // may be below 0 by rounding
          variances[channel] = static_cast<float>(variance < 0 ? 0 : variance);
          mean[channel] = static_cast<float>(mean[channel] + shift);
          then(channel);
        });
  }

  struct Backward {
    const T *dy, *x;
    const float *scale, *bias, *mean, *inverse;
    T* dx;
    float *dscale, *dbias;
    float *factor, *level, *slope;  // dx = factor dz - level - slope normed

    // terms(offset, part, dz, normed) is called for each vector of the channels that `numbers`
    // covers.
    template <bool kRectify, class F>
    auto values(auto numbers, F&& terms) const {
      const Vec centre = numbers.of(mean, 0), size = numbers.of(inverse, 1);
      const Vec factor = numbers.of(scale, 1), shift = numbers.of(bias, 0);
      return [=, x = x, dy = dy](Index offset, auto part, auto&... more) {
        const Vec normed = (part.load(x + offset) - centre) * size;
        Vec d = part.load(dy + offset);
        if constexpr (kRectify) d *= scaled(normed, factor, shift) > Vec{} ? splat(1) : Vec{};
        terms(offset, part, d, normed, more...);
      };
    }
  };

  // Writes dx = factor dz - level - slope normed.
  template <bool kRectify>
  static auto differences(const Backward& all) {
    return [&all](auto numbers) {
      const Vec factor = numbers.of(all.factor, 1), level = numbers.of(all.level, 0);
      const Vec slope = numbers.of(all.slope, 0);
      return all.template values<kRectify>(
          numbers, [=, dx = all.dx](Index offset, auto part, Vec d, Vec normed) {
            part.store(dx + offset, d * factor - level - normed * slope);
          });
    };
  }

 public:
  Normalization(Index items, Index channels, Index places, float eps)
      : planes_(planes_of(items, channels, places)), eps_(eps) {}

  // y = scale (x - mean) / sqrt(var + eps) + bias with the statistics of x, which are stored.
  void train(Values<T> x_array, Given scale, Given bias, MutableValues<T> y_array, MutableFloats means,
             MutableFloats variances, MutableFloats inverses, bool rectify) const {
    Unlocked free(planes_.size());
    const auto write = writing(x_array.data(), at(scale), at(bias), y_array.data(), means.data(),
                               inverses.data(), rectify);
    measure(x_array.data(), means.data(), variances.data(), [&](Index channel) {
      inverses.data()[channel] = 1 / std::sqrt(variances.data()[channel] + eps_);
      if (at_once()) each_of_channel(planes_, channel, 0, planes_.values(), write);
    });
    if (!at_once()) each_vector(planes_, write);
  }

  // The statistics of x alone.
  void moments(Values<T> x, MutableFloats means, MutableFloats variances) const {
    Unlocked free(planes_.size());
    measure(x.data(), means.data(), variances.data(), [](Index) {});
  }

  // y of given statistics.
  void normalize(Values<T> x, Given scale, Given bias, MutableValues<T> y, Floats means, Floats inverses,
                 bool rectify) const {
    Unlocked free(planes_.size());
    each_vector(planes_, writing(x.data(), at(scale), at(bias), y.data(), means.data(),
                                 inverses.data(), rectify));
  }

  // dx, and the gradients of scale and bias, accumulated. Without a mean, x is already normalized.
  // With `fixed`, mean and variance do not depend on x.
  void backward(Values<T> dy, Values<T> x, Given scale, Given bias, Given mean, Floats inverses,
                TakenValues<T> dx, Taken dscale, Taken dbias, bool rectify, bool fixed) const {
    Unlocked free(planes_.size());
    const Index channels = planes_.channels;
    float* numbers = thread_scratch(Scratch::kTotals, static_cast<std::size_t>(3 * channels));
    const Backward all{dy.data(), x.data(),   at(scale),          at(bias),
                       at(mean),  mean ? inverses.data() : nullptr, at(dx), at(dscale),
                       at(dbias), numbers,    numbers + channels, numbers + 2 * channels};
    for (Index c = 0; c < channels; ++c) {
      all.factor[c] = inverses.data()[c] * (all.scale == nullptr ? 1 : all.scale[c]);
      all.level[c] = all.slope[c] = 0;
    }
    rectify ? back<true>(all, fixed) : back<false>(all, fixed);
  }

  // dx of given means over all values: of dz, and of dz times the normalized x.
  void propagate(Values<T> dy, Values<T> x, Given scale, Given bias, Given mean, Floats inverses,
                 Floats levels, Floats slopes, MutableValues<T> dx, bool rectify) const {
    Unlocked free(planes_.size());
    const Index channels = planes_.channels;
    float* numbers = thread_scratch(Scratch::kTotals, static_cast<std::size_t>(3 * channels));
    const Backward all{dy.data(), x.data(), at(scale),          at(bias),
                       at(mean),  mean ? inverses.data() : nullptr, dx.data(), nullptr,
                       nullptr,   numbers,  numbers + channels, numbers + 2 * channels};
    for (Index c = 0; c < channels; ++c) {
      all.factor[c] = inverses.data()[c] * (all.scale == nullptr ? 1 : all.scale[c]);
      all.level[c] = all.factor[c] * levels.data()[c];
      all.slope[c] = all.factor[c] * slopes.data()[c];
    }
    rectify ? each_vector(planes_, differences<true>(all))
            : each_vector(planes_, differences<false>(all));
  }

 private:
  template <bool kRectify>
  void back(const Backward& all, bool fixed) const {
    const auto write = differences<kRectify>(all);
    const double count = static_cast<double>(planes_.values());
    const bool sums_wanted = !fixed || all.dscale != nullptr || all.dbias != nullptr;
    if (sums_wanted)
      reduce<2>(
          planes_,
          [&all](auto numbers) {
            return all.template values<kRectify>(
                numbers, [](Index, auto part, Vec d, Vec normed, Vec(&sums)[2]) {
                  sums[0] += part.keep(d);
                  sums[1] += part.keep(d * normed);
                });
          },
          [&](Index channel, const double* sums) {
            if (all.dbias != nullptr) all.dbias[channel] += static_cast<float>(sums[0]);
            if (all.dscale != nullptr) all.dscale[channel] += static_cast<float>(sums[1]);
            if (!fixed) {
              all.level[channel] = static_cast<float>(all.factor[channel] * sums[0] / count);
              all.slope[channel] = static_cast<float>(all.factor[channel] * sums[1] / count);
            }
            if (at_once() && all.dx != nullptr)
              each_of_channel(planes_, channel, 0, planes_.values(), write);
          });
    if (all.dx != nullptr && !(sums_wanted && at_once())) each_vector(planes_, write);
  }

  // Whether the thread that reduced a channel also processes its values.
  bool at_once() const { return !planes_.across() && planes_.pieces() == 1; }

  // The mean of the first values of each channel.
  void guess(const T* x, float* mean) const {
    const Index count = std::min(kGuess, planes_.values()), channels = planes_.channels;
    const auto range = [&](Index first, Index last) {
      if (planes_.across()) {
        std::fill(mean + first, mean + last, 0.0f);
        for (Index item = 0; item < count; ++item)
          for (Index c = first; c < last; ++c) mean[c] += value_of(x[item * channels + c]);
      } else {
        for (Index c = first; c < last; ++c) {
          Vec total{};
          planes_.runs(c, 0, count, [&](Index offset, Index run) {
            sweep(run, [&](Index i, auto part) { total += part.load(x + offset + i); });
          });
          mean[c] = sum(total);
        }
      }
      // Infinities propagate through the sums.
      for (Index c = first; c < last; ++c)
        mean[c] = std::isfinite(mean[c]) ? mean[c] / static_cast<float>(count) : 0;
    };
    planes_.each_range(range);
  }

  Planes planes_;
  float eps_;
};

template <class T>
void define(nb::module_& m) {
  using Normalization = ::Normalization<T>;
  nb::class_<Normalization>(m, "Normalization")
      .def(nb::init<Index, Index, Index, float>())
      .def("train", &Normalization::train, nb::arg("x"), nb::arg("scale").none(),
           nb::arg("bias").none(), nb::arg("y"), nb::arg("mean"), nb::arg("variance"),
           nb::arg("inverse"), nb::arg("rectify"))
      .def("moments", &Normalization::moments)
      .def("normalize", &Normalization::normalize, nb::arg("x"), nb::arg("scale").none(),
           nb::arg("bias").none(), nb::arg("y"), nb::arg("mean"), nb::arg("inverse"),
           nb::arg("rectify"))
      .def("propagate", &Normalization::propagate, nb::arg("dy"), nb::arg("x"),
           nb::arg("scale").none(), nb::arg("bias").none(), nb::arg("mean").none(),
           nb::arg("inverse"), nb::arg("level"), nb::arg("slope"), nb::arg("dx"),
           nb::arg("rectify"))
      .def("backward", &Normalization::backward, nb::arg("dy"), nb::arg("x"),
           nb::arg("scale").none(), nb::arg("bias").none(), nb::arg("mean").none(),
           nb::arg("inverse"), nb::arg("dx").none(), nb::arg("dscale").none(),
           nb::arg("dbias").none(), nb::arg("rectify"), nb::arg("fixed"));
}

}  // namespace

void add_normalization(nb::module_& m) {
  for_each_type(m, [](auto type, nb::module_& here) { define<decltype(type)>(here); });
}

// Per-channel scale, bias and PReLU, and their gradients.
#include <limits>

#include "arrays.h"
#include "bindings.h"
#include "planes.h"

namespace nb = nanobind;

namespace {

template <class T>
class Scaling {
 public:
  Scaling(Index items, Index channels, Index places)
      : planes_(planes_of(items, channels, places)) {}

  // y = s x + b; a missing s is 1, a missing b is 0.
  void forward(Values<T> x_array, Given scale, Given bias, MutableValues<T> y_array,
               bool rectify) const {
    Unlocked free(planes_.size());
    const T* x = x_array.data();
    const float *s = at(scale), *b = at(bias);
    T* y = y_array.data();
    const Vec least = splat(rectify ? 0 : -std::numeric_limits<float>::infinity());
    each_vector(planes_, [=](auto numbers) {
      const Vec factor = numbers.of(s, 1), shift = numbers.of(b, 0);
      return [=](Index offset, auto part) {
        part.store(y + offset, max(least, part.load(x + offset) * factor + shift));
      };
    });
  }

  // dx = s dy; ds += the sum of x dy, db += the sum of dy; missing outputs are skipped. With a top,
  // dy counts as 0 where the top is not above 0.
  void backward(Values<T> dy_array, GivenValues<T> x_array, Given scale, TakenValues<T> dx_array,
                Taken dscale, Taken dbias, GivenValues<T> top) const {
    Unlocked free(planes_.size());
    const T *dy = dy_array.data(), *x = at(x_array), *y = at(top);
    const float* s = at(scale);
    T* dx = at(dx_array);
    float *ds = at(dscale), *db = at(dbias);
    const auto gradient = [=](Index offset, auto part) {
      const Vec d = part.load(dy + offset);
      return y == nullptr ? d : d * (part.load(y + offset) > Vec{} ? splat(1) : Vec{});
    };
    const auto write = [=](auto numbers) {
      const Vec factor = numbers.of(s, 1);
      return [=](Index offset, auto part) {
        if (dx != nullptr) part.store(dx + offset, gradient(offset, part) * factor);
      };
    };
    if (ds != nullptr)
      reduce<2>(
          planes_,
          [=](auto numbers) {
            return [=, to = write(numbers)](Index offset, auto part, Vec(&sums)[2]) {
              const Vec d = gradient(offset, part);
              sums[0] += d * part.load(x + offset);
              sums[1] += d;
              to(offset, part);
            };
          },
          [=](Index channel, const double* sums) {
            ds[channel] += static_cast<float>(sums[0]);
            if (db != nullptr) db[channel] += static_cast<float>(sums[1]);
          });
    else if (db != nullptr)
      reduce<1>(
          planes_,
          [=](auto numbers) {
            return [=, to = write(numbers)](Index offset, auto part, Vec(&sums)[1]) {
              sums[0] += gradient(offset, part);
              to(offset, part);
            };
          },
          [=](Index channel, const double* sums) {
            db[channel] += static_cast<float>(sums[0]);
          });
    else if (dx != nullptr)
      each_vector(planes_, write);
  }

  // y = max(x, 0) + a min(x, 0).
  void lean(Values<T> x_array, Floats slope, MutableValues<T> y_array) const {
    Unlocked free(planes_.size());
    const T* x = x_array.data();
    const float* a = slope.data();
    T* y = y_array.data();
    each_vector(planes_, [=](auto numbers) {
      const Vec factor = numbers.of(a, 0);
      return [=](Index offset, auto part) {
        const Vec v = part.load(x + offset);
        part.store(y + offset, v > Vec{} ? v : v * factor);
      };
    });
  }

  // dx = dy where x > 0, a dy elsewhere; da += the sum of dy x where x <= 0.
  void lean_back(Values<T> dy_array, Values<T> x_array, Floats slope, TakenValues<T> dx_array,
                 Taken dslope) const {
    Unlocked free(planes_.size());
    const T *x = x_array.data(), *dy = dy_array.data();
    const float* a = slope.data();
    T* dx = at(dx_array);
    float* da = at(dslope);
    const auto write = [=](auto numbers) {
      const Vec factor = numbers.of(a, 0);
      return [=](Index offset, auto part) {
        const Vec d = part.load(dy + offset);
        if (dx != nullptr)
          part.store(dx + offset, part.load(x + offset) > Vec{} ? d : d * factor);
      };
    };
    if (da == nullptr) {
      each_vector(planes_, write);
      return;
    }
    reduce<1>(
        planes_,
        [=](auto numbers) {
          return [=, to = write(numbers)](Index offset, auto part, Vec(&sums)[1]) {
            const Vec v = part.load(x + offset);
            sums[0] += part.load(dy + offset) * (v > Vec{} ? Vec{} : v);
            to(offset, part);
          };
        },
        [=](Index channel, const double* sums) { da[channel] += static_cast<float>(sums[0]); });
  }

 private:
  Planes planes_;
};

template <class T>
void define(nb::module_& m) {
  using Scaling = ::Scaling<T>;
  nb::class_<Scaling>(m, "Scaling")
      .def(nb::init<Index, Index, Index>())
      .def("forward", &Scaling::forward, nb::arg("x"), nb::arg("scale").none(),
           nb::arg("bias").none(), nb::arg("y"), nb::arg("rectify"))
      .def("backward", &Scaling::backward, nb::arg("dy"), nb::arg("x").none(),
           nb::arg("scale").none(), nb::arg("dx").none(), nb::arg("dscale").none(),
           nb::arg("dbias").none(), nb::arg("y").none())
      .def("lean", &Scaling::lean)
      .def("lean_back", &Scaling::lean_back, nb::arg("dy"), nb::arg("x"), nb::arg("slope"),
           nb::arg("dx").none(), nb::arg("dslope").none());
}

}  // namespace

void add_scaling(nb::module_& m) {
  for_each_type(m, [](auto type, nb::module_& here) { define<decltype(type)>(here); });
}

// Elementwise losses, summed in doubles over fixed chunks, and their gradients.
#include "arrays.h"
#include "bindings.h"
#include "planes.h"
#include "vecmath.h"

namespace nb = nanobind;

namespace {

// difference = a - b; loss = factor times the sum of its squares.
void euclidean(Floats a, Floats b, MutableFloats difference, MutableFloats loss, double factor) {
  const Index n = static_cast<Index>(difference.size());
  Unlocked free(n);
  const float *left = a.data(), *right = b.data();
  float* to = difference.data();
  double total;
  sum_up<1>(n, &total, [=](Index i, auto part, Vec(&sums)[1]) {
    const Vec d = part.load(left + i) - part.load(right + i);
    part.store(to + i, d);
    sums[0] += d * d;
  });
  *loss.data() = static_cast<float>(total * factor);
}

// dx = factor w x, with w a scalar array: the gradient of a loss.
void weigh(Floats x, Floats w, MutableFloats dx, float factor) {
  const Index n = static_cast<Index>(dx.size());
  Unlocked free(n);
  const float* from = x.data();
  float *to = dx.data(), scale = *w.data() * factor;
  spread(n, [=](Index i, auto part) { part.store(to + i, part.load(from + i) * scale); });
}

inline Vec whole(Vec v) {
  return magnitude(v) < splat(8388608.0f) ? __builtin_convertvector(
                                                __builtin_convertvector(v, Mask), Vec)
                                          : v;
}

// The sum of the cross entropies of sigmoid(x) and t, and the count of valid targets: those whose
// t, truncated to an integer, is not `ignored` (NaN: ignore none).
void sigmoid_cross_entropy(Floats x, Floats t, float ignored, MutableFloats loss,
                           MutableFloats counted) {
  const Index n = static_cast<Index>(x.size());
  Unlocked free(n);
  const float *score = x.data(), *target = t.data();
  double totals[2];
  sum_up<2>(n, totals, [=](Index i, auto part, Vec(&sums)[2]) {
    const Vec v = part.load(score + i), aim = part.load(target + i);
    const Vec counts = part.keep(whole(aim) == splat(ignored) ? Vec{} : splat(1));
    sums[0] += part.keep((softplus(v) - v * aim) * counts);
    sums[1] += counts;
  });
  *loss.data() = static_cast<float>(totals[0]);
  *counted.data() = static_cast<float>(totals[1]);
}

void sigmoid_cross_entropy_back(Floats x, Floats t, float ignored, Floats factor,
                                MutableFloats dx) {
  const Index n = static_cast<Index>(x.size());
  Unlocked free(n);
  const float *score = x.data(), *target = t.data(), scale = *factor.data();
  float* to = dx.data();
  spread(n, [=](Index i, auto part) {
    const Vec aim = part.load(target + i);
    const Vec counts = whole(aim) == splat(ignored) ? Vec{} : splat(scale);
    part.store(to + i, (sigmoid(part.load(score + i)) - aim) * counts);
  });
}

}  // namespace

void add_losses(nb::module_& m) {
  m.def("euclidean", &euclidean);
  m.def("weigh", &weigh);
  m.def("sigmoid_cross_entropy", &sigmoid_cross_entropy);
  m.def("sigmoid_cross_entropy_back", &sigmoid_cross_entropy_back);
}

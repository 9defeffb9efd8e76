// Solver update rules: one pass over weights, gradients and history.
#include <nanobind/stl/vector.h>

#include <cmath>

#include "arrays.h"
#include "bindings.h"
#include "planes.h"

namespace nb = nanobind;

namespace {

#if defined(__AVX512F__)
inline Vec root(Vec v) { return (Vec)_mm512_sqrt_ps((__m512)v); }
#elif defined(__AVX2__)
inline Vec root(Vec v) { return (Vec)_mm256_sqrt_ps((__m256)v); }
#else
inline Vec root(Vec v) {
  for (Index lane = 0; lane < kLanes; ++lane) v[lane] = std::sqrt(v[lane]);
  return v;
}
#endif

inline Vec sign(Vec v) { return v > Vec{} ? splat(1) : v < Vec{} ? splat(-1) : v; }

// The update of a range of weights w, with their gradients g (read only) and their history. It is
// bound to the arrays that it was constructed with.
class Update {
 public:
  Update(MutableFloats w, Floats g, std::vector<MutableFloats> history, float decay, bool l1)
      : w_(w), g_(g), history_(std::move(history)), decay_(decay), l1_(l1) {}

  void sgd(float rate, float share, float momentum) {
    run<1>(share, decay_, [=](Vec w, Vec g, Vec(&h)[1]) {
      h[0] = h[0] * momentum + g * rate;
      return w - h[0];
    });
  }

  void nesterov(float rate, float share, float momentum) {
    run<1>(share, decay_, [=, further = 1 + momentum](Vec w, Vec g, Vec(&h)[1]) {
      const Vec coasted = h[0] * momentum;
      h[0] = coasted + g * rate;
      return w - (h[0] * further - coasted);
    });
  }

  // `take` is the share of the gradient that enters the history.
  void torch_sgd(float rate, float share, float take, float momentum, bool nesterov) {
    if (nesterov)
      run<1>(share, decay_, [=](Vec w, Vec g, Vec(&h)[1]) {
        h[0] = h[0] * momentum + g * take;
        return w - rate * (g + h[0] * momentum);
      });
    else
      run<1>(share, decay_, [=](Vec w, Vec g, Vec(&h)[1]) {
        h[0] = h[0] * momentum + g * take;
        return w - rate * h[0];
      });
  }

  void adagrad(float rate, float share, float delta) {
    run<1>(share, decay_, [=](Vec w, Vec g, Vec(&h)[1]) {
      h[0] += g * g;
      return w - rate * (g / (root(h[0]) + delta));
    });
  }

  void rmsprop(float rate, float share, float delta, double keep) {
    const Average average(keep);
    run<1>(share, decay_, [=](Vec w, Vec g, Vec(&h)[1]) {
      h[0] = average(h[0], g * g);
      return w - rate * (g / (root(h[0]) + delta));
    });
  }

  void adadelta(float rate, float share, float delta, double keep) {
    const Average average(keep);
    run<2>(share, decay_, [=](Vec w, Vec g, Vec(&h)[2]) {
      h[0] = average(h[0], g * g);
      const Vec step = g / root(h[0] + delta) * root(h[1] + delta);
      h[1] = average(h[1], step * step);
      return w - rate * step;
    });
  }

  // `rate` includes the bias correction of the averages.
  void adam(float rate, float share, float delta, double keep, double keep_squares) {
    const Average mean(keep), squares(keep_squares);
    run<2>(share, decay_, [=](Vec w, Vec g, Vec(&h)[2]) {
      h[1] = squares(h[1], g * g);
      h[0] = mean(h[0], g);
      return w - rate * (h[0] / (root(h[1]) + delta));
    });
  }

  // `shrink` times the decay is subtracted from the weights; `correction` is that of the squares.
  void adamw(float rate, float share, float delta, double keep, double keep_squares, float shrink,
             float correction) {
    const Average mean(keep), squares(keep_squares);
    const float less = shrink * decay_;
    run<2>(share, 0, [=, l1 = l1_](Vec w, Vec g, Vec(&h)[2]) {
      h[1] = squares(h[1], g * g);
      h[0] = mean(h[0], g);
      const Vec shrunk = w - less * (l1 ? sign(w) : w);
      return shrunk - rate * (h[0] / (root(h[1] / correction) + delta));
    });
  }

 private:
  struct Average {
    explicit Average(double keep)
        : keep(static_cast<float>(keep)), rest(static_cast<float>(1 - keep)) {}
    Vec operator()(Vec mean, Vec value) const { return mean * keep + value * rest; }
    float keep, rest;
  };

  // w = step(w, share g + decay w, history); the step updates the history too.
  template <int kSlots, class F>
  void run(float share, float decay, F&& step) {
    const Index n = static_cast<Index>(w_.size());
    Unlocked free(n);
    float *w = w_.data(), *history[kSlots];
    for (int k = 0; k < kSlots; ++k) history[k] = history_[k].data();
    const float* g = g_.data();
    const auto pass = [&](auto penalty) {
      spread(n, [=](Index i, auto part) {
        Vec slots[kSlots];
        for (int k = 0; k < kSlots; ++k) slots[k] = part.load(history[k] + i);
        const Vec before = part.load(w + i);
        const Vec now = step(before, part.load(g + i) * share + penalty(before), slots);
        for (int k = 0; k < kSlots; ++k) part.store(history[k] + i, slots[k]);
        part.store(w + i, now);
      });
    };
    if (decay == 0)
      pass([](Vec) { return Vec{}; });
    else if (l1_)
      pass([=](Vec v) { return decay * sign(v); });
    else
      pass([=](Vec v) { return decay * v; });
  }

  MutableFloats w_;
  Floats g_;
  std::vector<MutableFloats> history_;
  float decay_;
  bool l1_;
};

void clear(MutableFloats array) {
  const Index n = static_cast<Index>(array.size());
  Unlocked free(n);
  share_out(n, [g = array.data()](Index begin, Index end) { std::fill(g + begin, g + end, 0.0f); });
}

double square_sum(Floats array) {
  const Index n = static_cast<Index>(array.size());
  Unlocked free(n);
  double total;
  sum_up<1>(n, &total, [g = array.data()](Index i, auto part, Vec(&sums)[1]) {
    const Vec v = part.load(g + i);
    sums[0] += v * v;
  });
  return total;
}

}  // namespace

void add_updates(nb::module_& m) {
  nb::class_<Update>(m, "Update")
      .def(nb::init<MutableFloats, Floats, std::vector<MutableFloats>, float, bool>())
      .def("sgd", &Update::sgd)
      .def("nesterov", &Update::nesterov)
      .def("torch_sgd", &Update::torch_sgd)
      .def("adagrad", &Update::adagrad)
      .def("rmsprop", &Update::rmsprop)
      .def("adadelta", &Update::adadelta)
      .def("adam", &Update::adam)
      .def("adamw", &Update::adamw);
  m.def("clear", &clear);
  m.def("square_sum", &square_sum);
}

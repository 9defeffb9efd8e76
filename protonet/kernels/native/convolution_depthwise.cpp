// Depthwise convolution: every channel has its own kernel.
#include <nanobind/nanobind.h>

#include "arrays.h"
#include "as_floats.h"
#include "bindings.h"
#include "pass.h"

namespace nb = nanobind;

namespace {

class Depthwise {
 public:
  Depthwise(Index images, Index channels, Index outputs, const Geometry& g)
      : images_(images), channels_(channels), each_(outputs / channels), g_(g),
        forward_(forward_sweep(g), forward_narrow(g)),
        backward_(backward_sweep(g), backward_narrow(g)),
        learn_steps_(learning_of(
            forward_.is_narrow ? forward_.narrow.grids[0] : forward_.sweep.grids[0], g.stride.y,
            forward_.is_narrow)) {}

  template <class T>
  void forward(const T* x, const float* w, const float* bias, T* y, bool rectify) const {
    over_planes([&](Index plane) {
      const float* from = read_floats(x + plane * g_.size(), g_.size(), Scratch::kImage);
      for (Index m = 0; m < each_; ++m) {
        const Index output = plane % channels_ * each_ + m;
        T* result = y + (plane * each_ + m) * g_.places();
        float* to = floats_for(result, g_.places(), Scratch::kStrips);
        forward_.run(from, w + output * g_.taps(), bias == nullptr ? 0.0f : bias[output], rectify,
                     false, to);
        write_back(to, result, g_.places());
      }
    }, forward_);
  }

  template <class T>
  void backward(const T* dy, const float* w, T* dx) const {
    over_planes([&](Index plane) {
      float* to = floats_for(dx + plane * g_.size(), g_.size(), Scratch::kImage);
      for (Index m = 0; m < each_; ++m)
        backward_.run(read_floats(dy + (plane * each_ + m) * g_.places(), g_.places(),
                                  Scratch::kStrips),
                      w + (plane % channels_ * each_ + m) * g_.taps(), 0.0f, false, m > 0, to);
      write_back(to, dx + plane * g_.size(), g_.size());
    }, backward_);
  }

  // Accumulate the images of a channel in order, so that the sums do not depend on the thread
  // count.
  template <class T>
  void learn(const T* dy, const T* x, float* dw) const {
    const Index outputs = channels_ * each_, taps = g_.taps();
    parallel_planes(outputs, images_ * g_.places() * taps, [&](Index first, Index last) {
      Vec* totals = reinterpret_cast<Vec*>(thread_scratch(Scratch::kTotals, taps * kLanes));
      forward_.begin();
      for (Index output = first; output < last; ++output)
        learn_output(dy, x, output, totals, dw + output * taps);
    });
  }

 private:
  template <class F>
  void over_planes(F&& body, const Pass& pass) const {
    parallel_planes(images_ * channels_, each_ * g_.places() * g_.taps(),
                    [&](Index first, Index last) {
      pass.begin();
      for (Index plane = first; plane < last; ++plane) body(plane);
    });
  }

  template <class T>
  void learn_output(const T* dy, const T* x, Index output, Vec* totals, float* dw) const {
    const Index taps = g_.taps(), often = std::max<Index>(1, 4096 / g_.places());
    for (Index k = 0; k < taps; ++k) totals[k] = Vec{};
    for (Index n = 0; n < images_; ++n) {
      learn_plane(read_floats(dy + (n * channels_ * each_ + output) * g_.places(), g_.places(),
                              Scratch::kStrips),
                  read_floats(x + (n * channels_ + output / each_) * g_.size(), g_.size(),
                              Scratch::kImage),
                  totals);
      // Flush the accumulators now and then: long float32 sums lose digits.
      if ((n + 1) % often != 0 && n + 1 < images_) continue;
      for (Index k = 0; k < taps; ++k) {
        dw[k] += fold(totals[k]);
        totals[k] = Vec{};
      }
    }
  }

  void learn_plane(const float* dy, const float* x, Vec* totals) const {
    float* at = const_cast<float*>(dy);  // only read
    const Narrow& n = forward_.narrow;
    if (forward_.is_narrow)
      return learn_steps_.run({x, g_.width, n.row_step, &n.grids[0], nullptr, 0, false, false, at,
                               g_.out.x, g_.out.y, 0, g_.height},
                              totals);
    const Sweep& s = forward_.sweep;
    float* copy = thread_scratch(Scratch::kPlane, s.source_size());
    s.bands([&](Index t, Index rows) {
      s.source.copy(x, t * s.row_step, s.source_rows(rows), copy);
      learn_steps_.run({copy, s.source.line(), s.row_step, &s.grids[0], nullptr, 0, false, false,
                        at + t * g_.out.x, g_.out.x, rows},
                       totals);
    });
  }

  Index images_, channels_, each_;
  Geometry g_;
  Pass forward_, backward_;
  Steps<Vec*> learn_steps_;
};

Along along(std::pair<Index, Index> pair) { return {pair.first, pair.second}; }

template <class T>
struct DepthwiseOf : Depthwise {  // the geometry is the same for values of any type
  using Depthwise::Depthwise;
};

template <class T>
void define(nb::module_& m) {
  using Depthwise = DepthwiseOf<T>;
  using Pair = std::pair<Index, Index>;
  nb::class_<Depthwise>(m, "Depthwise")
      .def("__init__",
           [](Depthwise* self, Index images, Index channels, Pair inputs, Index outputs, Index,
              Pair kernel, Pair stride, Pair pad, Pair dilation, Pair out) {
             new (self) Depthwise(images, channels, outputs,
                                  {inputs.first, inputs.second, along(kernel), along(stride),
                                   along(pad), along(dilation), along(out)});
           },
           nb::call_guard<nb::gil_scoped_release>())
      .def("forward",
           [](const Depthwise& self, Values<T> x, Floats w, std::optional<Floats> bias,
              MutableValues<T> y, bool rectify) {
             nb::gil_scoped_release free;
             self.forward(x.data(), w.data(), bias ? bias->data() : nullptr, y.data(), rectify);
           },
           nb::arg("x"), nb::arg("w"), nb::arg("bias").none(), nb::arg("y"), nb::arg("rectify"))
      .def("backward",
           [](const Depthwise& self, Values<T> dy, Floats w, MutableValues<T> dx) {
             nb::gil_scoped_release free;
             self.backward(dy.data(), w.data(), dx.data());
           })
      .def("learn", [](const Depthwise& self, Values<T> dy, Values<T> x, MutableFloats dw) {
        nb::gil_scoped_release free;
        self.learn(dy.data(), x.data(), dw.data());
      });
}

}  // namespace

void add_depthwise(nb::module_& m) {
  for_each_type(m, [](auto type, nb::module_& here) { define<decltype(type)>(here); });
}

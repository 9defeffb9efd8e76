// Convolution in two spatial axes as products of matrices that are never written out whole.
#include <nanobind/nanobind.h>

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "arrays.h"
#include "correlation.h"
#include "pool.h"
#include "scatter.h"
#include "shallow.h"
#include "winograd_convolution.h"

namespace nb = nanobind;

namespace {

constexpr Index kLearned = 512;  // places of a block of the weights' gradient, or of few channels
constexpr Index kPieces = 8;     // into which a weight's gradient is summed, whoever sums them

struct Shape {
  Index images, channels, height, width, outputs, groups;
  Tap kernel, stride, pad, dilation, out;
};

class Convolution {
 public:
  explicit Convolution(const Shape& s) : s_(s) {
    std::vector<Tap> taps;
    for (Index i = 0; i < s.kernel.y; ++i)
      for (Index j = 0; j < s.kernel.x; ++j)
        taps.push_back({i * s.dilation.y - s.pad.y, j * s.dilation.x - s.pad.x});
    const Gather gather(s.height, s.width, s.out.y, s.out.x, s.stride, taps);
    forward_ = std::make_unique<Correlation>(gather, s.images, s.channels / s.groups, s.out.y,
                                             s.out.x, s.outputs * places(), Tap{0, 0}, Tap{1, 1});
    gather_ = std::make_unique<Gather>(gather);
    learn_blocks_ = gather.blocks(s.images, kLearned);
    add_remainders();
    backward_cycles_ = plain_cycles(s.height * s.width);
    add_winograd<winograd::F43>();
    add_winograd<winograd::F25>();
    add_scatter();
    if (Shallow::pays(s.channels / s.groups, s.outputs / s.groups, s.kernel))
      shallow_ = std::make_unique<Shallow>(gather, learn_blocks_, s.channels / s.groups,
                                           s.outputs / s.groups, s.kernel, s.stride, s.dilation);
  }

  void forward(Floats x, Floats w, const Epilogue& epilogue, MutableFloats y) const {
    if (fast_forward_) {
      for (Index g = 0; g < s_.groups; ++g)
        fast_forward_->run(x.data() + x_group(g), w.data() + w_group(g), y.data() + y_group(g),
                           epilogue.from(g * s_.outputs / s_.groups));
      return;
    }
    const Index rows = s_.outputs / s_.groups, depth = forward_->depth();
    if (shallow_) {
      for (Index g = 0; g < s_.groups; ++g)
        shallow_->run(w.data() + w_group(g), x.data() + x_group(g), image_size(),
                      y.data() + y_group(g), s_.outputs * places(), epilogue.from(g * rows));
      return;
    }
    const Panels panels(rows);
    const bool plain = forward_->takes_rows();
    float* packed = plain ? nullptr : thread_scratch(2, panels.size(depth));
    for (Index g = 0; g < s_.groups; ++g) {
      const float* part = w.data() + w_group(g);
      if (!plain)
        parallel(panels.count, [&](Index p) {
          pack_rows(part + panels.first(p) * depth, depth, panels.height(p), depth,
                    packed + Panels::offset(p, depth));
        });
      forward_->run(plain ? part : packed, plain, rows, x.data() + x_group(g), image_size(),
                    y.data() + y_group(g), epilogue.from(g * rows));
    }
  }

  void backward(Floats dy, Floats w, MutableFloats dx) const {
    if (scatter_) {
      for (Index g = 0; g < s_.groups; ++g)
        scatter_->run(dy.data() + y_group(g), s_.outputs * places(), w.data() + w_group(g),
                      dx.data() + x_group(g), image_size());
      return;
    }
    if (fast_backward_) {
      for (Index g = 0; g < s_.groups; ++g)
        fast_backward_->run(dy.data() + y_group(g), w.data() + w_group(g), dx.data() + x_group(g),
                            {});
      return;
    }
    const Index outputs = s_.outputs / s_.groups, channels = s_.channels / s_.groups;
    const Index taps = s_.kernel.y * s_.kernel.x;
    const Panels panels(channels);
    if (leaves_places_) clear(dx.data());
    for (const Remainder& each : remainders_) {
      const Index here = static_cast<Index>(each.taps.size()), depth = outputs * here;
      float* packed = thread_scratch(2, panels.size(depth));
      for (Index g = 0; g < s_.groups; ++g) {
        const float* part = w.data() + g * outputs * channels * taps;
        // Row c of A: over outputs m and taps t of this remainder, w[m][c][t].
        parallel(panels.count, [&](Index p) {
          const Index first = panels.first(p), rows = panels.height(p);
          float* to = packed + Panels::offset(p, depth);
          for (Index m = 0; m < outputs; ++m)
            for (Index t = 0; t < here; ++t, to += rows) {
              const float* from = part + (m * channels + first) * taps + each.taps[t];
              for (Index r = 0; r < rows; ++r) to[r] = from[r * taps];
            }
        });
        each.correlation->run(packed, false, channels, dy.data() + g * outputs * places(),
                              s_.outputs * places(),
                              dx.data() + g * channels * s_.height * s_.width, {});
      }
    }
  }

  // dw += the sum over images and places of dy times what the taps read.
  void learn(Floats dy, Floats x, MutableFloats dw) const {
    if (fast_forward_) {
      for (Index g = 0; g < s_.groups; ++g)
        fast_forward_->learn(x.data() + x_group(g), dy.data() + y_group(g), dw.data() + w_group(g));
      return;
    }
    const Index rows = s_.outputs / s_.groups, channels = s_.channels / s_.groups;
    const Index depth = channels * gather_->taps(), size = rows * depth;
    const Index count = static_cast<Index>(learn_blocks_.size());
    const Index pieces = std::min(count, std::clamp<Index>((1 << 20) / size, 1, kPieces));
    const Index ranges = shallow_ ? 1
                                  : std::clamp<Index>(channels * gather_->taps() / 512, 1,
                                                      std::min(channels, 2 * kPieces / pieces));
    float* sums = pieces > 1 ? thread_scratch(3, pieces * size) : nullptr;
    for (Index g = 0; g < s_.groups; ++g) {
      float* total = dw.data() + g * size;
      parallel(pieces * ranges, [&](Index task) {
        const Index piece = task / ranges, range = task % ranges;
        const Index first = channels * range / ranges, last = channels * (range + 1) / ranges;
        float* to = sums == nullptr ? total : sums + piece * size;
        if (shallow_) {
          const Block* blocks = learn_blocks_.data();
          shallow_->learn(blocks + count * piece / pieces, blocks + count * (piece + 1) / pieces,
                          dy.data() + y_group(g), s_.outputs * places(), x.data() + x_group(g),
                          image_size(), to, sums == nullptr);
          return;
        }
        for (Index b = count * piece / pieces; b < count * (piece + 1) / pieces; ++b)
          learn_block(learn_blocks_[b], dy.data() + g * rows * places(),
                      x.data() + (g * channels + first) * s_.height * s_.width, last - first, rows,
                      to + first * gather_->taps(), depth,
                      sums != nullptr && b == count * piece / pieces);
      });
      if (sums == nullptr) continue;
      parallel((size + 4095) / 4096, [&](Index chunk) {
        for (Index i = chunk * 4096; i < std::min(size, (chunk + 1) * 4096); ++i) {
          float sum = 0;
          for (Index piece = 0; piece < pieces; ++piece) sum += sums[piece * size + i];
          total[i] += sum;
        }
      });
    }
  }

 private:
  // The places of x whose coordinates have one remainder by the stride, and the taps that meet
  // them there.
  struct Remainder {
    std::vector<Index> taps;
    std::unique_ptr<Correlation> correlation;
  };

  Index places() const { return s_.out.y * s_.out.x; }
  Index image_size() const { return s_.channels * s_.height * s_.width; }

  // The remainders that taps meet: no more than there are taps, however wide the stride is.
  void add_remainders() {
    std::map<std::pair<Index, Index>, std::vector<Tap>> met;
    for (Index i = 0; i < s_.kernel.y; ++i)
      for (Index j = 0; j < s_.kernel.x; ++j) {
        const Index y = remainder(i * s_.dilation.y - s_.pad.y, s_.stride.y);
        const Index x = remainder(j * s_.dilation.x - s_.pad.x, s_.stride.x);
        if (y < s_.height && x < s_.width) met[{y, x}].push_back({i, j});
      }
    for (const auto& [first, taps] : met) add_remainder({first.first, first.second}, taps);
    leaves_places_ = static_cast<Index>(met.size()) <
                     std::min(s_.stride.y, s_.height) * std::min(s_.stride.x, s_.width);
  }

  static Index remainder(Index value, Index by) { return (value % by + by) % by; }

  void add_remainder(Tap first, const std::vector<Tap>& met) {
    const Index rows = (s_.height - first.y - 1) / s_.stride.y + 1;
    const Index columns = (s_.width - first.x - 1) / s_.stride.x + 1;
    Remainder found{{}, nullptr};
    std::vector<Tap> taps;
    for (const Tap& tap : met) {
      found.taps.push_back(tap.y * s_.kernel.x + tap.x);
      taps.push_back({(first.y + s_.pad.y - tap.y * s_.dilation.y) / s_.stride.y,
                      (first.x + s_.pad.x - tap.x * s_.dilation.x) / s_.stride.x});
    }
    found.correlation = std::make_unique<Correlation>(
        Gather(s_.out.y, s_.out.x, rows, columns, {1, 1}, taps), s_.images,
        s_.outputs / s_.groups, s_.height, s_.width, image_size(), first, s_.stride);
    remainders_.push_back(std::move(found));
  }

  // Where the values of a group begin.
  Index x_group(Index g) const { return g * image_size() / s_.groups; }
  Index y_group(Index g) const { return g * s_.outputs * places() / s_.groups; }
  Index w_group(Index g) const {
    return g * s_.outputs * (s_.channels / s_.groups) * s_.kernel.y * s_.kernel.x / s_.groups;
  }

  PlaneSet x_planes() const {
    return {s_.channels / s_.groups, s_.height, s_.width, image_size()};
  }
  PlaneSet y_planes() const {
    return {s_.outputs / s_.groups, s_.out.y, s_.out.x, s_.outputs * places()};
  }
  // What plain sums take for so many places of an image, where the window moves by 1.
  double plain_cycles(Index of_image) const {
    return Correlation::cycles(static_cast<double>(s_.images) * of_image, s_.outputs / s_.groups,
                               s_.channels / s_.groups * gather_->taps());
  }

  // Square windows that move by 1, where Winograd's way is the shorter one.
  template <class F>
  void add_winograd() {
    constexpr Index kernel = F::kKernel, size = kernel * kernel;
    if (s_.kernel.y != kernel || s_.kernel.x != kernel || s_.stride.y != 1 || s_.stride.x != 1 ||
        s_.dilation.y != 1 || s_.dilation.x != 1 || s_.pad.y >= kernel || s_.pad.x >= kernel)
      return;
    using Way = Winograd<F>;
    const PlaneSet x = x_planes(), y = y_planes();
    if (Way::cycles(s_.images, x, y) < plain_cycles(places()))
      fast_forward_ = std::make_unique<Way>(s_.images, x, y, s_.pad,
                                            typename Way::Weights{size * x.count, size, false});
    const double backward = Way::cycles(s_.images, y, x);
    if (backward < backward_cycles_) {
      backward_cycles_ = backward;
      fast_backward_ = std::make_unique<Way>(
          s_.images, y, x, Tap{kernel - 1 - s_.pad.y, kernel - 1 - s_.pad.x},
          typename Way::Weights{size, size * x.count, true});
    }
  }

  // Windows that move by 1 and stay inside the image.
  void add_scatter() {
    if (s_.stride.y != 1 || s_.stride.x != 1 || s_.pad.y != 0 || s_.pad.x != 0) return;
    const Index channels = s_.channels / s_.groups, outputs = s_.outputs / s_.groups;
    if (Scatter::cycles(s_.images, channels, outputs, s_.out, s_.kernel) < backward_cycles_)
      scatter_ = std::make_unique<Scatter>(s_.images, channels, s_.height, s_.width, outputs,
                                           s_.out, s_.kernel, s_.dilation);
  }

  // For the places that no window meets.
  void clear(float* dx) const {
    const Index plane = s_.height * s_.width;
    parallel(s_.images * s_.channels,
             [&](Index i) { std::fill_n(dx + i * plane, plane, 0.0f); });
  }

  void learn_block(const Block& block, const float* dy, const float* x, Index channels, Index rows,
                   float* dw, Index dw_stride, bool first) const {
    const Index count = gather_->count(block), taps = channels * gather_->taps();
    const Index padded = (count + kLanes - 1) / kLanes * kLanes;
    const Panels panels(rows);
    float* copied = thread_scratch(0, gather_->copy_size(block, channels));
    float* lines = thread_scratch(1, kColumns * (padded + kLanes));
    float* strip = thread_scratch(4, padded * kColumns);
    float* packed = thread_scratch(5, panels.size(count));
    gather_->copy(x, image_size(), channels, block, copied);
    pack_gradient(block, dy, panels, packed);
    thread_local std::vector<Index> offsets;
    thread_local std::vector<Segment> segments;
    thread_local std::vector<Move> moves;
    gather_->offsets(channels, block, offsets);
    gather_->segments(block, channels, 0, count, segments);
    moves_of(segments, moves);
    alignas(64) float tile[kRows * kColumns];
    for (Index k = 0; k < taps; k += kColumns) {
      const Index here = std::min(kColumns, taps - k);
      copy_rows(copied, offsets.data() + k, here, moves, lines, padded);
      pack_transposed(lines, padded, here, count, strip);
      for (Index p = 0; p < panels.count; ++p) {
        multiply_panels(panels.height(p), kColumns, count, packed + Panels::offset(p, count),
                        strip, tile, false);
        for (Index r = 0; r < panels.height(p); ++r)
          add_row(tile + r * kColumns, here, dw + (panels.first(p) + r) * dw_stride + k, first);
      }
    }
  }

  static void add_row(const float* from, Index count, float* to, bool first) {
    for (Index i = 0; i < count; i += kLanes) {
      const Index here = std::min(kLanes, count - i);
      const Vec value = load(from + i);
      store_some(to + i, first ? value : value + load_some(to + i, here), here);
    }
  }

  // The rows of dy at the places of a block, as panels of A.
  void pack_gradient(const Block& block, const float* dy, const Panels& panels,
                     float* packed) const {
    const Index image = block.rows * gather_->columns(), count = gather_->count(block);
    for (Index p = 0; p < panels.count; ++p)
      for (Index n = 0; n < block.images; ++n)
        pack_rows(dy + (block.image + n) * s_.outputs * places() + panels.first(p) * places() +
                      block.row * gather_->columns(),
                  places(), panels.height(p), image,
                  packed + Panels::offset(p, count) + n * image * panels.height(p));
  }

  Shape s_;
  std::unique_ptr<Gather> gather_;
  std::vector<Block> learn_blocks_;
  std::unique_ptr<Correlation> forward_;
  std::vector<Remainder> remainders_;
  bool leaves_places_ = false;  // whether no window meets some places of x
  std::unique_ptr<FastConvolution> fast_forward_, fast_backward_;
  std::unique_ptr<Scatter> scatter_;
  std::unique_ptr<Shallow> shallow_;
  double backward_cycles_;  // an estimate
};

Tap tap(std::pair<Index, Index> pair) { return {pair.first, pair.second}; }

}  // namespace

void add_convolution(nb::module_& m) {
  using Pair = std::pair<Index, Index>;
  nb::class_<Convolution>(m, "Convolution")
      .def("__init__",
           [](Convolution* self, Index images, Index channels, Pair inputs, Index outputs,
              Index groups, Pair kernel, Pair stride, Pair pad, Pair dilation, Pair out) {
             new (self) Convolution({images, channels, inputs.first, inputs.second, outputs,
                                     groups, tap(kernel), tap(stride), tap(pad), tap(dilation),
                                     tap(out)});
           },
           nb::call_guard<nb::gil_scoped_release>())
      .def("forward",
           [](const Convolution& self, Floats x, Floats w, std::optional<Floats> factor,
              std::optional<Floats> bias, MutableFloats y, bool rectify) {
             nb::gil_scoped_release free;
             self.forward(x, w,
                          {factor ? factor->data() : nullptr, bias ? bias->data() : nullptr,
                           rectify},
                          y);
           },
           nb::arg("x"), nb::arg("w"), nb::arg("factor").none(), nb::arg("bias").none(),
           nb::arg("y"), nb::arg("rectify"))
      .def("backward", &Convolution::backward, nb::call_guard<nb::gil_scoped_release>())
      .def("learn", &Convolution::learn, nb::call_guard<nb::gil_scoped_release>());
}

// Depthwise separable convolution over images of pixels: a depthwise one, and one of single pixels
// over its result, of which only a band of rows exists at a time.
#include <nanobind/nanobind.h>

#include "bindings.h"
#include "convolution_pixel_rows.h"
#include "pixel_depthwise.h"

namespace nb = nanobind;

#if defined(__AVX2__)

namespace {

// The shape of a convolution of single pixels.
ConvolutionShape pointwise(Index images, Index channels, Tap in, Index outputs) {
  return {images, channels, in.y, in.x, outputs, 1, {1, 1}, {1, 1}, {0, 0}, {1, 1}, in};
}

// Weights of a convolution, and what is done with its sums.
template <class T, class Word>
struct Stage {
  const Word* packed;
  EpilogueOf<T> epilogue;
};

template <class T>
class PixelSeparable {
 public:
  using Word = typename Operand<T>::Word;

  // Of `inputs` channels the channels of `g` are made first; of 0 they are there.
  PixelSeparable(const Grid& g, Index inputs, Index outputs)
      : expands_(inputs > 0), inputs_(inputs),
        expand_(pointwise(g.images, std::max<Index>(1, inputs), g.in, g.channels), false),
        depthwise_(g), project_(pointwise(g.images, g.channels, g.out, outputs), false) {
    const Index places = expands_ ? kPlaces : kBand / project_.stride();
    band_ = std::clamp<Index>((places / g.out.x + 1) / 2 * 2, 2, std::max<Index>(2, g.out.y));
    ring_ = std::min(g.in.y, reach(band_));
    const Index most = std::max<Index>(1, g.out.y / 2);
    const Index least = expands_ ? 1 : std::min((g.out.y + band_ - 1) / band_, most);
    parts_ = parts_of(g.images, most, least);
  }

  void forward(const T* x, bool far, Stage<T, Word> expand, const Stage<float, float>& depthwise,
               const Stage<T, Word>& project, T* y) const {
    const Grid& g = depthwise_.grid();
    const Index row_of_x = g.in.x * (expands_ ? inputs_ : g.channels);
    parallel(g.images * parts_, [&](Index task) {
      const Index image = task / parts_, part = task % parts_, last = edge(part + 1);
      const T* const from = x + image * g.in.y * row_of_x;
      T* const rows = expands_ ? scratch(Scratch::kTiles, ring_ * g.in.x * g.channels) : nullptr;
      T* const some = scratch(Scratch::kPlane, band_ * g.out.x * project_.stride());
      EpilogueOf<T> to_rows = expand.epilogue;
      to_rows.pixel = g.channels;
      Index there = std::max<Index>(0, edge(part) * g.stride.y - g.pad.y);
      for (Index row = edge(part); row < last; row += band_) {
        const Index count = std::min(band_, last - row);
        const Index needed = std::min(g.in.y, row * g.stride.y - g.pad.y + reach(count));
        while (expands_ && there < needed) {
          const Index at = there % ring_, here = std::min(needed - there, ring_ - at);
          expand_.run_places(from + there * row_of_x, at * g.in.x, here * g.in.x, expand.packed,
                             rows, to_rows);
          there += here;
        }
        depthwise_.run({image, row, count, 0, g.channels}, expands_ ? rows : from,
                       expands_ ? ring_ : g.in.y, depthwise.packed, depthwise.epilogue, far, some,
                       project_.stride());
        project_.run_places(some, (image * g.out.y + row) * g.out.x, count * g.out.x,
                            project.packed, y, project.epilogue);
      }
    });
  }

 private:
  static constexpr Index kPlaces = 112;     // of a band; several panels
  static constexpr Index kBand = kL2Cache / 4 / sizeof(T);  // values of one

  static T* scratch(Scratch which, Index values) {
    return reinterpret_cast<T*>(thread_scratch(which, values / Operand<T>::kValues + 1));
  }

  // Rows under `rows` rows of the result.
  Index reach(Index rows) const {
    const Grid& g = depthwise_.grid();
    return (rows - 1) * g.stride.y + (g.kernel.y - 1) * g.dilation.y + 1;
  }

  // Parts begin at even rows, of which two are computed together.
  Index edge(Index part) const {
    const Index rows = depthwise_.grid().out.y;
    return part == parts_ ? rows : rows * part / parts_ / 2 * 2;
  }

  bool expands_;
  Index inputs_;
  PixelRows<T> expand_;
  PixelDepthwiseOf<T> depthwise_;
  PixelRows<T> project_;
  Index band_;   // rows of the result
  Index ring_;   // rows before the depthwise convolution
  Index parts_;  // of an image
};

template <class T>
void define(nb::module_& m) {
  using Some = PixelSeparable<T>;
  using Packed = Values<typename Some::Word>;
  nb::class_<Some>(m, "PixelSeparable")
      .def("__init__",
           [](Some* self, Index images, Index channels, Extents in, Extents kernel, Extents stride,
              Extents pad, Extents dilation, Extents out, Index inputs, Index outputs) {
             new (self) Some(Grid{images, channels, tap(in), tap(kernel), tap(stride), tap(pad),
                                  tap(dilation), tap(out)},
                             inputs, outputs);
           })
      .def("forward",
           [](const Some& self, Values<T> x, std::optional<Packed> we, Given fe, Given be, bool re,
              Floats wd, Given fd, Given bd, bool rd, Packed wp, Given fp, Given bp, bool rp,
              GivenValues<T> addend, Pixels<T> y, Index pixel) {
             nb::gil_scoped_release free;
             T* to = y.data();
             const bool streams = leaves_caches(y) && pixel % (64 / Index{sizeof(T)}) == 0 &&
                                  reinterpret_cast<std::uintptr_t>(to) % sizeof(Vec) == 0;
             self.forward(x.data(), !we && is_far(x), {at(we), {at(fe), at(be), re}},
                          {wd.data(), {at(fd), at(bd), rd}},
                          {wp.data(), {at(fp), at(bp), rp, at(addend), to, pixel, streams}}, to);
           },
           nb::arg("x"), nb::arg("we").none(), nb::arg("fe").none(), nb::arg("be").none(),
           nb::arg("re"), nb::arg("wd"), nb::arg("fd").none(), nb::arg("bd").none(), nb::arg("rd"),
           nb::arg("wp"), nb::arg("fp").none(), nb::arg("bp").none(), nb::arg("rp"),
           nb::arg("addend").none(), nb::arg("y"), nb::arg("pixel"));
}

}  // namespace

void add_pixel_separable(nb::module_& m) {
  for_each_pixel_type(m, [](auto type, nb::module_& here) { define<decltype(type)>(here); });
}

#else

void add_pixel_separable(nb::module_&) {}

#endif

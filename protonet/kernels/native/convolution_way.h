// The interface of convolution algorithms; they process one group at a time.
#pragma once

#include "epilogue.h"
#include "gather.h"

// What products are of: values, or pairs of values whose products are added.
template <class T>
struct Operand {
  using Word = float;
  static constexpr Index kValues = 1;
};
template <>
struct Operand<Bf16> {
  using Word = std::uint32_t;
  static constexpr Index kValues = 2;
};

// The shape of the whole convolution, with the channel counts of one group.
struct ConvolutionShape {
  Index images, channels, height, width, outputs, groups;
  Tap kernel, stride, pad, dilation, out;

  Index group_channels() const { return channels / groups; }
  Index group_outputs() const { return outputs / groups; }
  Index taps() const { return kernel.y * kernel.x; }
  Index places() const { return out.y * out.x; }
  Index plane() const { return height * width; }
  // The image stride, over all groups.
  Index x_stride() const { return channels * plane(); }
  Index y_stride() const { return outputs * places(); }
  // Offsets of a group.
  Index x_group(Index g) const { return g * group_channels() * plane(); }
  Index y_group(Index g) const { return g * group_outputs() * places(); }
  Index w_group(Index g) const { return g * group_outputs() * group_channels() * taps(); }

  // Whether windows begin at every place from which they stay inside. A single window has stride 1,
  // whatever lies behind it.
  bool is_dense() const {
    return stride.y == 1 && stride.x == 1 &&
           out.y == height + 2 * pad.y - (kernel.y - 1) * dilation.y &&
           out.x == width + 2 * pad.x - (kernel.x - 1) * dilation.x;
  }

  // Whether every window is the place of its result.
  bool has_single_places() const { return taps() == 1 && pad.y == 0 && pad.x == 0 && is_dense(); }

  // Whether windows are squares of adjacent values at stride 1, and none is all padding.
  bool has_squares(Index side) const {
    return kernel.y == side && kernel.x == side && dilation.y == 1 && dilation.x == 1 &&
           pad.y < side && pad.x < side && is_dense();
  }

  // The taps of a window over x.
  Gather gather() const {
    std::vector<Tap> read;
    for (Index i = 0; i < kernel.y; ++i)
      for (Index j = 0; j < kernel.x; ++j)
        read.push_back({i * dilation.y - pad.y, j * dilation.x - pad.x});
    return Gather(height, width, out.y, out.x, stride, read);
  }
};

// Constructs a C over a shape as Python passes it, with what else it takes.
template <class C, class... More>
void construct_convolution(C* self, Index images, Index channels, Extents inputs, Index outputs,
                           Index groups, Extents kernel, Extents stride, Extents pad,
                           Extents dilation, Extents out, More... more) {
  new (self) C(ConvolutionShape{images, channels, inputs.first, inputs.second, outputs, groups,
                                tap(kernel), tap(stride), tap(pad), tap(dilation), tap(out)},
               more...);
}

// y from x and w; or, for the backward pass, dx from dy and w.
class Way {
 public:
  virtual ~Way() = default;
  virtual void run(const float* x, const float* w, float* y, const Epilogue& epilogue) const = 0;

};

// y from x and weights that are packed once, since they do not change. The packed form is that of
// the class: the same for all images, so that nets for other batches share it.
template <class T>
class PackedWayOf {
 public:
  using Word = typename Operand<T>::Word;

  virtual ~PackedWayOf() = default;
  virtual Index packed_size() const = 0;  // words
  virtual void pack(const float* w, Word* to) const = 0;
  virtual void run_packed(const T* x, const Word* packed, T* y,
                          const EpilogueOf<T>& epilogue) const = 0;
};
using PackedWay = PackedWayOf<float>;

// The same where results are pixels.
template <class T>
class PixelWayOf : public PackedWayOf<T> {
 public:
  using Word = typename Operand<T>::Word;

  // Some rows of the result of one image, `x`, in the calling thread. The first goes to `y`. Rows
  // are computed `row_step` at a time, of which `first` is a multiple.
  virtual void run_rows(const T* x, Index first, Index count, const Word* packed, T* y,
                        const EpilogueOf<T>& epilogue) const = 0;
  virtual Index row_step() const { return 1; }
};

// Adds the gradient of w to dw, from x and dy.
class LearnWay {
 public:
  virtual ~LearnWay() = default;
  virtual void learn(const float* x, const float* dy, float* dw) const = 0;
};

// What convolutions of bytes have in common: their ends, codes of whole images, and the binding.
#pragma once

#include <nanobind/nanobind.h>

#include "arrays.h"
#include "int8_coding.h"
#include "pool.h"

#if defined(__AVX2__)

// How values are coded that come in, and that go out; whether they are stored as codes.
struct Int8Ends {
  Coding source, target;
  bool takes_codes, gives_codes;
};

using Codes = nanobind::ndarray<const std::int8_t, nanobind::c_contig, nanobind::device::cpu>;

constexpr Index kInt8Step = 256;  // places of a task

// The codes of images of floats, without padding.
inline void encode_images(const float* x, const ConvolutionShape& s, const Encoder& encode,
                          Byte* to) {
  const Index pixel = pixel_bytes(s.channels), parts = (s.plane() + kInt8Step - 1) / kInt8Step;
  parallel(s.images * parts, [&](Index task) {
    const Index i = task / parts, p = task % parts * kInt8Step;
    encode_pixels(x + i * s.x_stride() + p, s.plane(), s.channels,
                  std::min(kInt8Step, s.plane() - p), encode,
                  to + (i * s.plane() + p) * pixel, pixel);
  });
}

// Binds a class of convolutions, as Python makes and calls it.
template <class C>
void bind_int8(nanobind::class_<C>&& made) {
  const auto released = nanobind::call_guard<nanobind::gil_scoped_release>();
  made.def(
          "__init__",
          [](C* self, Index images, Index channels, Extents inputs, Index outputs, Index groups,
             Extents kernel, Extents stride, Extents pad, Extents dilation, Extents out,
             std::pair<float, int> source, std::pair<float, int> target, bool takes_codes,
             bool gives_codes) {
            const Int8Ends ends{{source.first, source.second},
                                {target.first, target.second},
                                takes_codes,
                                gives_codes};
            construct_convolution(self, images, channels, inputs, outputs, groups, kernel, stride,
                                  pad, dilation, out, ends);
          },
          released)
      .def("prepare", &C::prepare, released)
      .def("forward", &C::forward, released);
}

#endif

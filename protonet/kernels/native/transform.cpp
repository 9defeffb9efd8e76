// Image preprocessing: crop, mirror, subtract the mean and scale, in one pass.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <cstdint>

#include "arrays.h"
#include "bindings.h"
#include "vec.h"

namespace nb = nanobind;

namespace {

using Image = nb::ndarray<nb::ro, nb::ndim<3>, nb::device::cpu>;

// A plane of one channel: its first element, and its row and column strides.
template <class T>
struct Plane {
  T* first;
  Index row, column;
};

// Columns are read in order, and written in reverse order where the image is mirrored. They go
// through a short local buffer, which the compiler knows not to alias anything; with a constant
// column stride it vectorizes the loop.
template <class T, Index kColumn, Index kMean, Index kOut>
void take_row(const T* in, Index column, const float* mean, float scale, float* out, Index width) {
  constexpr Index kStretch = 64;
  float stretch[kStretch];
  if (kColumn != 0) column = kColumn;
  for (Index start = 0; start < width; start += kStretch) {
    const Index count = std::min(kStretch, width - start);
    float* sorted = kOut == 1 ? out + start : stretch;
    for (Index x = 0; x < count; ++x) {
      const float value = static_cast<float>(in[(start + x) * column]) - mean[(start + x) * kMean];
      sorted[x] = value * scale;
    }
    if (kOut == -1)
      for (Index x = 0; x < count; ++x) out[x + 1 - start - count] = stretch[count - 1 - x];
  }
}

constexpr Index kBand = 4096;        // values that are gathered before they are written
constexpr Index kStreamed = 1 << 15;  // values of an image that are not kept in caches

// Copies without reading what was there, and past the caches, in whole lines: a batch is larger than
// the caches, and would drive out the mean and what the next image is decoded with.
void stream(const float* in, float* out, Index count) {
#if defined(__x86_64__)
  constexpr Index kLine = 16;
  const auto offset = static_cast<Index>(reinterpret_cast<std::uintptr_t>(out) / 4 % kLine);
  const Index head = std::min(count, (kLine - offset) % kLine);
  std::copy_n(in, head, out);
  Index x = head;
  for (; x + kLine <= count; x += kLine)
    for (Index i = 0; i < kLine; i += 4) _mm_stream_ps(out + x + i, _mm_loadu_ps(in + x + i));
  std::copy_n(in + x, count - x, out + x);
#else
  std::copy_n(in, count, out);
#endif
}

template <class T, Index kMean, Index kOut>
void take(Plane<const T> in, Plane<const float> mean, float scale, Plane<float> out, Index height,
          Index width) {
  const auto row = in.column == 1 ? take_row<T, 1, kMean, kOut> : take_row<T, 0, kMean, kOut>;
  const auto at = [&](Index y, float* to) {
    row(in.first + y * in.row, in.column, mean.first + y * mean.row, scale, to, width);
  };
  if (height * width < kStreamed || width > kBand) {
    for (Index y = 0; y < height; ++y) at(y, out.first + y * out.row);
    return;
  }
  alignas(64) float band[kBand];
  const Index first = kOut == 1 ? 0 : width - 1;
  for (Index y = 0; y < height;) {
    const Index begin = y, end = std::min(height, y + kBand / width);
    for (; y < end; ++y) at(y, band + (y - begin) * width + first);
    stream(band, out.first - first + begin * width, (end - begin) * width);
  }
}

template <class T, Index kOut>
void take_plane(Plane<const T> in, Plane<const float> mean, float scale, Plane<float> out,
                Index height, Index width) {
  if (mean.column == 0) take<T, 0, kOut>(in, mean, scale, out, height, width);
  if (mean.column == 1) take<T, 1, kOut>(in, mean, scale, out, height, width);
  if (mean.column == -1) take<T, -1, kOut>(in, mean, scale, out, height, width);
}

// The mean, aligned with the columns of the image: a single number; the window of a mean as large
// as the image; or a mean as large as the window, which is not mirrored.
Plane<const float> mean_of(const Floats& mean, const Image& image, Index channel, Index top,
                           Index left, Index width, bool mirror) {
  const Index rows = mean.shape(1), columns = mean.shape(2);
  const float* plane = mean.data() + (mean.shape(0) == 1 ? 0 : channel) * rows * columns;
  if (rows * columns == 1) return {plane, 0, 0};
  if (rows == static_cast<Index>(image.shape(1)) && columns == static_cast<Index>(image.shape(2)))
    return {plane + top * columns + left, columns, 1};
  if (mirror) return {plane + width - 1, columns, -1};
  return {plane, columns, 1};
}

template <class T>
void transform(const Image& image, const std::optional<Floats>& mean, MutableFloats& out,
               Index top, Index left, bool mirror, float scale) {
  const Index channels = out.shape(0), height = out.shape(1), width = out.shape(2);
  const Index row = image.stride(1), column = image.stride(2);
  static const float nothing = 0;
  nb::gil_scoped_release released;
  for (Index c = 0; c < channels; ++c) {
    const T* first = static_cast<const T*>(image.data()) + c * image.stride(0);
    const Plane<const T> in{first + top * row + left * column, row, column};
    Plane<const float> off{&nothing, 0, 0};
    if (mean.has_value()) off = mean_of(*mean, image, c, top, left, width, mirror);
    float* plane = out.data() + c * height * width;
    if (mirror)
      take_plane<T, -1>(in, off, scale, {plane + width - 1, width, -1}, height, width);
    else
      take_plane<T, 1>(in, off, scale, {plane, width, 1}, height, width);
  }
#if defined(__x86_64__)
  _mm_sfence();  // what was streamed is there for other threads
#endif
}

}  // namespace

void add_transform(nb::module_& m) {
  m.def(
      "transform",
      [](const Image& image, const std::optional<Floats>& mean, MutableFloats out, Index top,
         Index left, bool mirror, float scale) {
        if (image.dtype() == nb::dtype<std::uint8_t>())
          transform<std::uint8_t>(image, mean, out, top, left, mirror, scale);
        else
          transform<float>(image, mean, out, top, left, mirror, scale);
      },
      nb::arg("image"), nb::arg("mean").none(), nb::arg("out"), nb::arg("top"), nb::arg("left"),
      nb::arg("mirror"), nb::arg("scale"));
}

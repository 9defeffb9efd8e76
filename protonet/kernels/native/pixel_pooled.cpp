// A convolution over pixels and a pooling of its result, of which only a band of rows exists at a
// time.
#include <nanobind/nanobind.h>

#include "bindings.h"
#include "convolution_pixel_vectors.h"
#include "pixel_pool.h"

namespace nb = nanobind;

#if defined(__AVX2__)

namespace {

class PooledConvolution {
 public:
  PooledConvolution(const ConvolutionShape& s, bool planes, const Grid& pool)
      : convolution_(s, planes), pool_(pool) {
    const Index step = convolution_.row_step(), line = pool.in.x * pool.channels;
    const Index wanted = std::max(kValues / line, kPlaces / pool.in.x);
    band_ = std::clamp<Index>(wanted / step * step, step, (pool.in.y + step - 1) / step * step);
    parts_ = parts_of(pool.images, std::max<Index>(1, pool.out.y));
  }

  // Of windows the largest value, or that and 0, or the mean.
  enum class Of { kLargest, kLargestOr0, kMean };

  void forward(const float* x, const float* packed, const Epilogue& epilogue, Of of,
               float* y) const {
    const Grid& g = pool_.grid();
    const Index image = convolution_.shape().x_stride();
    parallel(g.images * parts_, [&](Index task) {
      const Index n = task / parts_, part = task % parts_;
      run(x + n * image, packed, epilogue, of, g.out.y * part / parts_,
          g.out.y * (part + 1) / parts_, y + n * g.out.y * g.out.x * g.channels);
    });
  }

 private:
  static constexpr Index kValues = kL2Cache / 32, kPlaces = 112;  // of a band

  // Rows [row, last) of an image.
  void run(const float* x, const float* packed, Epilogue epilogue, Of of, Index row, Index last,
           float* y) const {
    const Grid& g = pool_.grid();
    const Index step = convolution_.row_step(), line = g.in.x * g.channels;
    const Index reach = (g.kernel.y - 1) * g.dilation.y + 1, end = pool_.end(last - 1);
    float* const rows = thread_scratch(Scratch::kPlane, (reach + step + band_) * line);
    epilogue.pixel = g.channels;
    // Rows [first, there) of what is pooled.
    for (Index first = 0, there = 0; row < last;) {
      const Index least = std::max<Index>(0, pool_.start(row)), kept = std::min(least, there);
      std::copy(rows + (kept - first) * line, rows + (there - first) * line, rows);
      first = kept;
      if (least > there) first = there = least / step * step;
      const Index count = std::min(band_, end - there);
      convolution_.run_rows(x, there, count, packed, rows + (there - first) * line, epilogue);
      there += count;
      for (; row < last && pool_.end(row) <= there; ++row) {
        const float* from = rows + (pool_.start(row) - first) * line;
        float* to = y + row * g.out.x * g.channels;
        if (of == Of::kMean) pool_.mean_row(row, from, to, g.channels);
        else if (of == Of::kLargest) pool_.greatest_row(row, from, to, g.channels);
        else pool_.rectified_row(row, from, to, g.channels);
      }
    }
  }

  PixelVectors<float> convolution_;
  PixelPoolOf<float> pool_;
  Index band_;   // rows of the convolution
  Index parts_;  // of an image
};

}  // namespace

void add_pixel_pooled(nb::module_& m) {
  nb::class_<PooledConvolution>(m, "PooledConvolution")
      .def("__init__",
           [](PooledConvolution* self, Index images, Index channels, Extents in, Index outputs,
              Extents kernel, Extents stride, Extents pad, Extents dilation, Extents out,
              bool planes, Extents window, Extents step, Extents around, Extents apart,
              Extents pooled) {
             const ConvolutionShape shape{images, channels, in.first, in.second, outputs, 1,
                                          tap(kernel), tap(stride), tap(pad), tap(dilation),
                                          tap(out)};
             const Grid pool{images, outputs, tap(out), tap(window), tap(step), tap(around),
                             tap(apart), tap(pooled)};
             new (self) PooledConvolution(shape, planes, pool);
           })
      .def("forward",
           [](const PooledConvolution& self, Floats x, Floats packed, Given factor, Given bias,
              bool rectify, MutableFloats y, bool mean, bool rectify_pooled) {
             nb::gil_scoped_release free;
             using Of = PooledConvolution::Of;
             const Of of = mean ? Of::kMean : rectify_pooled ? Of::kLargestOr0 : Of::kLargest;
             self.forward(x.data(), packed.data(), {at(factor), at(bias), rectify}, of, y.data());
           },
           nb::arg("x"), nb::arg("packed"), nb::arg("factor").none(), nb::arg("bias").none(),
           nb::arg("rectify"), nb::arg("y"), nb::arg("mean"), nb::arg("rectify_pooled"));
}

#else

void add_pixel_pooled(nb::module_&) {}

#endif

// The Python bindings of the kernels; each source file registers its own.
#include <nanobind/nanobind.h>

#include "bindings.h"
#include "pool.h"
#include "vec.h"

namespace nb = nanobind;

NB_MODULE(MODULE, m) {
  // A process that ends does not look for kernels that are still there: they are no leak.
  nb::set_leak_warnings(false);
  m.attr("lanes") = static_cast<int>(kLanes);
  m.def("threads", &threads, "How many threads work on a kernel.");
  m.def("set_threads", &set_threads, nb::arg("count"));
  m.def_submodule("bfloat16", "The kernels whose values are stored in bfloat16.");
  add_bias(m);
  add_boxes(m);
  add_convert(m);
  add_convolution(m);
  add_convolution_bfloat16(m);
  add_convolution_pixels(m);
  add_convolution_pixel_vectors(m);
  add_product(m);
  add_normalization(m);
  add_scaling(m);
  add_updates(m);
  add_losses(m);
  add_combine(m);
  add_activations(m);
  add_depthwise(m);
  add_dropout(m);
  add_features(m);
  add_int8(m);
  add_int8_depthwise(m);
  add_int8_values(m);
  add_lrn(m);
  add_pixel_depthwise(m);
  add_pixel_pooled(m);
  add_pixel_separable(m);
  add_pixel_lrn(m);
  add_pixel_windows(m);
  add_pooling(m);
  add_powers(m);
  add_softmax(m);
  add_transform(m);
}

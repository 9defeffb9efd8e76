// What registers the kernels of each source file. It runs once, at import: cold functions lie
// together in the compiled module, apart from the kernels, so that an import takes few of its pages.
#pragma once

#include <nanobind/nanobind.h>

[[gnu::cold]] void add_bias(nanobind::module_& m);
[[gnu::cold]] void add_boxes(nanobind::module_& m);
[[gnu::cold]] void add_convert(nanobind::module_& m);
[[gnu::cold]] void add_convolution(nanobind::module_& m);
[[gnu::cold]] void add_convolution_bfloat16(nanobind::module_& m);
[[gnu::cold]] void add_convolution_pixels(nanobind::module_& m);
[[gnu::cold]] void add_convolution_pixel_vectors(nanobind::module_& m);
[[gnu::cold]] void add_product(nanobind::module_& m);
[[gnu::cold]] void add_normalization(nanobind::module_& m);
[[gnu::cold]] void add_scaling(nanobind::module_& m);
[[gnu::cold]] void add_updates(nanobind::module_& m);
[[gnu::cold]] void add_losses(nanobind::module_& m);
[[gnu::cold]] void add_combine(nanobind::module_& m);
[[gnu::cold]] void add_activations(nanobind::module_& m);
[[gnu::cold]] void add_depthwise(nanobind::module_& m);
[[gnu::cold]] void add_dropout(nanobind::module_& m);
[[gnu::cold]] void add_features(nanobind::module_& m);
[[gnu::cold]] void add_int8(nanobind::module_& m);
[[gnu::cold]] void add_int8_depthwise(nanobind::module_& m);
[[gnu::cold]] void add_int8_values(nanobind::module_& m);
[[gnu::cold]] void add_lrn(nanobind::module_& m);
[[gnu::cold]] void add_pixel_depthwise(nanobind::module_& m);
[[gnu::cold]] void add_pixel_pooled(nanobind::module_& m);
[[gnu::cold]] void add_pixel_separable(nanobind::module_& m);
[[gnu::cold]] void add_pixel_lrn(nanobind::module_& m);
[[gnu::cold]] void add_pixel_windows(nanobind::module_& m);
[[gnu::cold]] void add_pooling(nanobind::module_& m);
[[gnu::cold]] void add_powers(nanobind::module_& m);
[[gnu::cold]] void add_softmax(nanobind::module_& m);
[[gnu::cold]] void add_transform(nanobind::module_& m);

// NumPy arrays as kernels take them: float32, contiguous, on the CPU. Shapes are passed separately.
#pragma once

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>

using Floats = nanobind::ndarray<const float, nanobind::c_contig, nanobind::device::cpu>;
using MutableFloats = nanobind::ndarray<float, nanobind::c_contig, nanobind::device::cpu>;

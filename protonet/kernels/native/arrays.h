// NumPy arrays as kernels take them: contiguous, on the CPU. Shapes are passed separately.
#pragma once

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>

#include "bfloat16.h"

// Python passes bfloat16 as uint16: NumPy's own types have none.
template <>
struct nanobind::detail::dtype_traits<Bf16> : nanobind::detail::dtype_traits<std::uint16_t> {};

template <class T>
using Values = nanobind::ndarray<const T, nanobind::c_contig, nanobind::device::cpu>;
template <class T>
using MutableValues = nanobind::ndarray<T, nanobind::c_contig, nanobind::device::cpu>;

// Results over pixels, which may be some of the channels of a larger array.
template <class T>
using Pixels = nanobind::ndarray<T, nanobind::device::cpu>;

using Floats = Values<float>;
using MutableFloats = MutableValues<float>;

template <class T>
using GivenValues = std::optional<Values<T>>;
template <class T>
using TakenValues = std::optional<MutableValues<T>>;
using Given = GivenValues<float>;
using Taken = TakenValues<float>;

// Whether results will have left the caches when they are read.
template <class A>
bool leaves_caches(const A& results) {
  return results.nbytes() > std::size_t{16} << 20;
}

template <class A>
auto at(const std::optional<A>& array) {
  return array ? array->data() : nullptr;
}

// define(T{}, module) for each type T that values are stored in: functions for float32 are in the
// module itself, those of the same names for bfloat16 in the module `bfloat16` inside it.
template <class F>
void for_each_type(nanobind::module_& m, F&& define) {
  define(float{}, m);
  nanobind::module_ inner = nanobind::cast<nanobind::module_>(m.attr("bfloat16"));
  define(Bf16{}, inner);
}

// The same of pixels: those of bfloat16 take instructions of AVX-512.
template <class F>
void for_each_pixel_type(nanobind::module_& m, F&& define) {
#if defined(__AVX512F__)
  for_each_type(m, define);
#else
  define(float{}, m);
#endif
}

// Local response normalization across the adjacent channels of pixels in bfloat16.
#include <nanobind/nanobind.h>

#include <algorithm>
#include <cmath>

#include "arrays.h"
#include "pairs.h"
#include "pool.h"

namespace nb = nanobind;

#if defined(__AVX512F__)

namespace {

constexpr Index kPlaces = 64;  // per task

struct Region {
  Index channels, half;
  float share, beta, k;
};

// s^-beta, to within what bfloat16 keeps.
inline __m512 negative_power(__m512 s, float beta) {
  if (beta == 0.75f) {  // the value in all published networks that have this layer
    const __m512 r = _mm512_rsqrt14_ps(s);
    return _mm512_mul_ps(r, _mm512_mul_ps(r, _mm512_rsqrt14_ps(r)));
  }
  alignas(64) float each[kLanes];
  _mm512_store_ps(each, s);
  for (float& value : each) value = std::pow(value, -beta);
  return _mm512_load_ps(each);
}

// One pixel; `squares` has room for its channels and a half region on both sides, which is 0.
WITH_BF16 void normalize(const Bf16* x, Bf16* y, const Region& r, float* squares) {
  float* inner = squares + r.half;
  const auto lanes_at = [&](Index c) {
    return static_cast<__mmask16>((1u << std::min(kLanes, r.channels - c)) - 1);
  };
  for (Index c = 0; c < r.channels; c += kLanes) {
    const __mmask16 lanes = lanes_at(c);
    const auto v = reinterpret_cast<__m512>(widen(reinterpret_cast<Halves>(_mm256_maskz_loadu_epi16(lanes, x + c))));
    _mm512_mask_storeu_ps(inner + c, lanes, _mm512_mul_ps(v, v));
  }
  for (Index c = 0; c < r.channels; c += kLanes) {
    const __mmask16 lanes = lanes_at(c);
    __m512 sum = _mm512_setzero_ps();
    for (Index o = -r.half; o <= r.half; ++o)
      sum = _mm512_add_ps(sum, _mm512_loadu_ps(inner + c + o));
    const __m512 s = _mm512_fmadd_ps(sum, _mm512_set1_ps(r.share), _mm512_set1_ps(r.k));
    const auto v = reinterpret_cast<__m512>(widen(reinterpret_cast<Halves>(_mm256_maskz_loadu_epi16(lanes, x + c))));
    const __m512 result = _mm512_mul_ps(v, negative_power(s, r.beta));
    _mm256_mask_storeu_epi16(y + c, lanes, (__m256i)_mm512_cvtneps_pbh(result));
  }
}

void across_pixels(Values<Bf16> x, MutableValues<Bf16> y, Index channels, Index size, float alpha,
                   float beta, float k) {
  const Region region{channels, size / 2, alpha / static_cast<float>(size), beta, k};
  const Index all = static_cast<Index>(x.size()) / channels;
  parallel((all + kPlaces - 1) / kPlaces, [&](Index task) {
    const Index room = channels + 2 * region.half + kLanes;
    float* squares = thread_scratch(Scratch::kPlane, static_cast<std::size_t>(room));
    std::fill_n(squares, room, 0.0f);
    for (Index p = task * kPlaces; p < std::min(all, (task + 1) * kPlaces); ++p)
      normalize(x.data() + p * channels, y.data() + p * channels, region, squares);
  });
}

}  // namespace

void add_pixel_lrn(nb::module_& outer) {
  nb::module_ m = nb::cast<nb::module_>(outer.attr("bfloat16"));
  m.def("across_pixels", &across_pixels, nb::call_guard<nb::gil_scoped_release>());
}

#else

void add_pixel_lrn(nb::module_&) {}

#endif

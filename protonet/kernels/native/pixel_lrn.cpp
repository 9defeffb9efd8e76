// Local response normalization across the adjacent channels of pixels.
#include <nanobind/nanobind.h>

#include <algorithm>
#include <type_traits>

#include "arrays.h"
#include "bindings.h"
#include "edges.h"
#include "features.h"
#include "negative_power.h"
#include "pixel_panels.h"
#include "pool.h"

namespace nb = nanobind;

#if defined(__AVX2__)

namespace {

constexpr Index kPlaces = 64;    // per task
constexpr Index kTogether = 4;  // whose squares are in memory before any is read

struct Region {
  Index channels, half;
  float share, beta, k;
};

#if defined(__AVX512F__)

// s^-0.75 from the estimates r of s^-1/2 and of r^-1/2, with a step of Newton's method for each;
// 0, infinity and NaN are exact as estimated.
inline __m512 power_of_three_quarters(__m512 s) {
  const __m512 one = _mm512_set1_ps(1), half = _mm512_set1_ps(0.5f);
  __m512 r = _mm512_rsqrt14_ps(s);
  const __m512 error = _mm512_fnmadd_ps(_mm512_mul_ps(s, r), r, one);
  r = _mm512_mask3_fmadd_ps(_mm512_mul_ps(r, half), error, r,
                            _mm512_cmp_ps_mask(error, error, _CMP_ORD_Q));
  const __m512 q = _mm512_rsqrt14_ps(r), root = _mm512_mul_ps(r, q);
  const __m512 left = _mm512_fnmadd_ps(root, q, one);
  const __m512 better = _mm512_fmadd_ps(_mm512_mul_ps(root, half), left, root);
  return _mm512_mask_mul_ps(r, _mm512_cmp_ps_mask(left, left, _CMP_ORD_Q), r, better);
}

// s^-beta, to within what a type keeps.
template <class T>
inline Vec power_of(Vec sums, float beta) {
  if (beta != 0.75f) return negative_power(sums, beta);
  const auto s = reinterpret_cast<__m512>(sums);
  if (!std::is_same_v<T, Bf16>) return reinterpret_cast<Vec>(power_of_three_quarters(s));
  const __m512 r = _mm512_rsqrt14_ps(s);
  return reinterpret_cast<Vec>(_mm512_mul_ps(r, _mm512_mul_ps(r, _mm512_rsqrt14_ps(r))));
}

#else

template <class T>
inline Vec power_of(Vec s, float beta) { return negative_power(s, beta); }

#endif

inline Index lanes_at(Index c, const Region& r) { return std::min(kLanes, r.channels - c); }

template <class T>
void square(const T* x, const Region& r, float* squares) {
  for (Index c = 0; c < r.channels; c += kLanes) {
    const Vec v = load_first(x + c, lanes_at(c, r));
    store_first(squares + c, v * v, lanes_at(c, r));
  }
}

// One pixel, from the squares of its channels, beside which are zeros. The attribute is for
// bfloat16: with float32 there is none of its instructions.
template <class T>
WITH_BF16 void normalize(const T* x, T* y, const Region& r, const float* squares) {
  for (Index c = 0; c < r.channels; c += kLanes) {
    Vec sum{};
    for (Index o = -r.half; o <= r.half; ++o) sum += load(squares + c + o);
    const Vec s = sum * splat(r.share) + splat(r.k);
    const Vec v = load_first(x + c, lanes_at(c, r));
    put_lanes(y + c, v * power_of<T>(s, r.beta), lanes_at(c, r), false);
  }
}

template <class T>
void across_pixels(Values<T> x, MutableValues<T> y, Index channels, Index size, float alpha,
                   float beta, float k) {
  const Region region{channels, size / 2, alpha / static_cast<float>(size), beta, k};
  const Index all = static_cast<Index>(x.size()) / channels;
  parallel((all + kPlaces - 1) / kPlaces, [&](Index task) {
    const Index room = channels + 2 * region.half + kLanes;
    float* squares =
        thread_scratch(Scratch::kPlane, static_cast<std::size_t>(kTogether * room)) + region.half;
    std::fill_n(squares - region.half, kTogether * room, 0.0f);
    const Index end = std::min(all, (task + 1) * kPlaces);
    for (Index p = task * kPlaces; p < end; p += kTogether) {
      const Index here = std::min(kTogether, end - p);
      for (Index i = 0; i < here; ++i)
        square(x.data() + (p + i) * channels, region, squares + i * room);
      for (Index i = 0; i < here; ++i)
        normalize(x.data() + (p + i) * channels, y.data() + (p + i) * channels, region,
                  squares + i * room);
    }
  });
}

}  // namespace

void add_pixel_lrn(nb::module_& outer) {
  for_each_pixel_type(outer, [](auto type, nb::module_& m) {
    m.def("across_pixels", &across_pixels<decltype(type)>,
          nb::call_guard<nb::gil_scoped_release>());
  });
}

#else

void add_pixel_lrn(nb::module_&) {}

#endif

// Powers of local response normalization, as exact as float32.
#pragma once

#include <cmath>

#include "vec.h"

inline Vec root(Vec v) {
#if defined(__AVX512F__)
  return reinterpret_cast<Vec>(_mm512_sqrt_ps(reinterpret_cast<__m512>(v)));
#elif defined(__AVX2__)
  return reinterpret_cast<Vec>(_mm256_sqrt_ps(reinterpret_cast<__m256>(v)));
#else
  for (Index i = 0; i < kLanes; ++i) v[i] = std::sqrt(v[i]);
  return v;
#endif
}

inline Vec negative_power(Vec s, float beta) {
  if (beta == 0.75f) {  // the value in all published networks that have this layer
    const Vec r = 1.0f / root(s);
    return r * root(r);
  }
  for (Index i = 0; i < kLanes; ++i) s[i] = std::pow(s[i], -beta);
  return s;
}

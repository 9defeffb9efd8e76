// Vectorized exponentials and logarithms, to within two units in the last place.
#pragma once

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "vec.h"

// All of these propagate NaN, and infinity where the function has a value there.

inline Mask bits(Vec v) { return (Mask)v; }
inline Vec from_bits(Mask m) { return (Vec)m; }
inline Vec magnitude(Vec v) { return from_bits(bits(v) & 0x7fffffff); }

// x = n log(2) + r with
// r
// <= log(2) / 2; `p` becomes exp(r) - 1.
inline Vec split_exponent(Vec x, Vec& p) {
  const Vec rounding = splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
  const Vec whole = x * 1.44269504088896341f + rounding;
  const Vec n = whole - rounding;
  const Vec r = (x - n * 0.693359375f) + n * 2.12194440054690583e-4f;
  Vec q = splat(1.0f / 5040);
  q = q * r + 1.0f / 720;
  q = q * r + 1.0f / 120;
  q = q * r + 1.0f / 24;
  q = q * r + 1.0f / 6;
  q = q * r + 0.5f;
  p = r + r * r * q;
  return n;
}

// 2^n for integers n in the range of normal numbers.
inline Vec power_of_two(Vec n) {
  const Vec rounding = splat(12582912.0f);
  return from_bits((bits(n + rounding) - bits(rounding) + 127) << 23);
}

// 2^n v, also where 2^n alone would underflow or overflow.
inline Vec scale_by(Vec v, Vec n) {
#if defined(__AVX512F__)
  return (Vec)_mm512_scalef_ps((__m512)v, (__m512)n);
#else
  const Vec half = n * 0.5f + splat(12582912.0f) - splat(12582912.0f);
  return v * power_of_two(half) * power_of_two(n - half);
#endif
}

inline Vec exp(Vec x) {
  // beyond these the results are 0 and infinity
  Vec p;
  const Vec n = split_exponent(max(splat(-104), min(splat(89), x)), p);
  return scale_by(1.0f + p, n);
}

// exp(x) - 1 for x <= 0.
inline Vec exp_less_one(Vec x) {
  Vec p;
  const Vec size = power_of_two(split_exponent(max(splat(-30), x), p));
  return size * p + (size - 1.0f);
}

inline Vec tanh(Vec x) {
  const Vec t = exp_less_one(-2.0f * magnitude(x));
  return from_bits(bits(-t / (t + 2.0f)) | (bits(x) & ~0x7fffffff));
}

inline Vec sigmoid(Vec x) { return 1.0f / (1.0f + exp(-x)); }

// log(1 + u) for u from 0 to 1, as 2 artanh(u / (2 + u)).
inline Vec log_one_plus(Vec u) {
  const Vec s = u / (2.0f + u), square = s * s;
  Vec q = splat(2.0f / 17);
  q = q * square + 2.0f / 15;
  q = q * square + 2.0f / 13;
  q = q * square + 2.0f / 11;
  q = q * square + 2.0f / 9;
  q = q * square + 2.0f / 7;
  q = q * square + 2.0f / 5;
  q = q * square + 2.0f / 3;
  return 2.0f * s + s * square * q;
}

// log(1 + exp(x)).
inline Vec softplus(Vec x) { return max(Vec{}, x) + log_one_plus(exp(-magnitude(x))); }

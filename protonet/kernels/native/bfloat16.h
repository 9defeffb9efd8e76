// bfloat16 values: the upper half of a float. They are widened when read and rounded to the nearest,
// ties to even, when written.
#pragma once

#include "vec.h"

struct Bf16 {
  std::uint16_t bits;
};

typedef std::uint16_t Halves __attribute__((vector_size(2 * kLanes)));
typedef std::uint16_t LooseHalves
    __attribute__((vector_size(2 * kLanes), aligned(2), may_alias));
typedef std::uint32_t Words __attribute__((vector_size(4 * kLanes)));

inline Words words_of(Halves h) { return __builtin_convertvector(h, Words); }
inline Vec widen(Halves h) { return reinterpret_cast<Vec>(words_of(h) << 16); }

inline Halves narrow(Vec v) {
  const Words bits = reinterpret_cast<Words>(v);
  const Words rounded = bits + 0x7fff + ((bits >> 16) & 1);
  // NaN stays NaN, and is quiet.
  return __builtin_convertvector((v == v ? rounded : (bits | 0x400000)) >> 16, Halves);
}

inline Vec load(const Bf16* p) { return widen(*reinterpret_cast<const LooseHalves*>(p)); }
inline void store(Bf16* p, Vec v) { *reinterpret_cast<LooseHalves*>(p) = narrow(v); }

inline Vec load_some(const Bf16* p, Index n) {
#if defined(__AVX512F__)
  const auto lanes = static_cast<__mmask16>((1u << n) - 1);
  return widen(reinterpret_cast<Halves>(_mm256_maskz_loadu_epi16(lanes, p)));
#else
  Halves h{};
  std::memcpy(&h, p, 2 * static_cast<std::size_t>(n));
  return widen(h);
#endif
}
inline void store_some(Bf16* p, Vec v, Index n) {
  const Halves h = narrow(v);
#if defined(__AVX512F__)
  const auto lanes = static_cast<__mmask16>((1u << n) - 1);
  _mm256_mask_storeu_epi16(p, lanes, reinterpret_cast<__m256i>(h));
#else
  std::memcpy(p, &h, 2 * static_cast<std::size_t>(n));
#endif
}

// Single values.
inline float widen(Bf16 x) {
  const std::uint32_t bits = static_cast<std::uint32_t>(x.bits) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
inline Bf16 narrow(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const std::uint32_t rounded = bits + 0x7fff + ((bits >> 16) & 1);
  return {static_cast<std::uint16_t>((x == x ? rounded : (bits | 0x400000)) >> 16)};
}

inline float value_of(float x) { return x; }
inline float value_of(Bf16 x) { return widen(x); }
inline void put_value(float* p, float x) { *p = x; }
inline void put_value(Bf16* p, float x) { *p = narrow(x); }

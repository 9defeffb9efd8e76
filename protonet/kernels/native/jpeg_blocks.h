// The inverse cosine transform of blocks of 8 x 8 (ITU-T T.81, A.3.3), by the fast algorithm of
// Loeffler, Ligtenberg and Moschytz (1989) in integers: 13 bits of each factor, and 2 more bits of
// the values between its two passes than of the results. Readers of JPEG agree on these numbers, so
// that pixels are equal to the last bit.
#pragma once

#include "jpeg_format.h"

namespace jpeg {

// Coefficients in rows, what to multiply them by, and where the samples go.
struct Block {
  const std::int16_t *values, *factors;
  Byte* out;
  Index stride;
};

constexpr int kFirstShift = 11, kSecondShift = 18;

// The numbers by which a pass multiplies pairs of values: of the third and seventh; the eighth and
// second, the sixth and fourth; and the sums of the eighth and fourth, of the sixth and second. Sums
// of the algorithm's own 13-bit factors.
constexpr int kEven[2][2] = {{10703, 4433}, {4433, -10704}};
constexpr int kOuter[2][2] = {{-7373, 4926}, {-4927, -7373}};
constexpr int kInner[2][2] = {{-20995, 4177}, {-4176, -20995}};
constexpr int kSums[2][2] = {{9633, 6437}, {-6436, 9633}};

inline int saturated(int x) { return std::max(-32768, std::min(32767, x)); }
// Sums of two values keep 16 bits, as those of the libraries' vectors do.
inline std::int16_t wrapped(int x) { return static_cast<std::int16_t>(x); }

// A block of one value.
inline void invert_flat(const Block& block) {
  const int first = wrapped(4 * wrapped(block.values[0] * block.factors[0]));
  const int level = std::max(0, std::min(255, ((first + 16) >> 5) + 128));
  for (Index y = 0; y < 8; ++y) std::memset(block.out + y * block.stride, level, 8);
}

#if defined(__AVX2__)

using Words = __m256i;  // eight values of either of two blocks

inline Words pair_of(int a, int b) {
  return _mm256_set1_epi32(static_cast<int>(static_cast<std::uint32_t>(b) << 16 | (a & 0xFFFF)));
}

// Half of a pass, on pairs of values that lie next to each other.
template <int kShift>
inline void half_pass(Words ends, Words v26, Words v71, Words v53, Words sums, Words (&out)[8]) {
  const auto times = [](Words pairs, const int (&by)[2]) {
    return _mm256_madd_epi16(pairs, pair_of(by[0], by[1]));
  };
  const Words round = _mm256_set1_epi32(1 << (kShift - 1));
  const Words sum = _mm256_add_epi32(times(ends, {8192, 0}), round);
  const Words difference = _mm256_add_epi32(times(ends, {0, 8192}), round);
  const Words outer = times(v26, kEven[0]), inner = times(v26, kEven[1]);
  const Words even[4] = {_mm256_add_epi32(sum, outer), _mm256_add_epi32(difference, inner),
                         _mm256_sub_epi32(difference, inner), _mm256_sub_epi32(sum, outer)};
  const Words one = times(sums, kSums[0]), other = times(sums, kSums[1]);
  const Words odd[4] = {
      _mm256_add_epi32(times(v71, kOuter[0]), one), _mm256_add_epi32(times(v53, kInner[0]), other),
      _mm256_add_epi32(times(v53, kInner[1]), one), _mm256_add_epi32(times(v71, kOuter[1]), other)};
  for (int i = 0; i < 4; ++i) {
    out[i] = _mm256_srai_epi32(_mm256_add_epi32(even[i], odd[i]), kShift);
    out[7 - i] = _mm256_srai_epi32(_mm256_sub_epi32(even[i], odd[i]), kShift);
  }
}

template <int kShift>
inline void pass(Words (&v)[8]) {
  const Words sum = _mm256_add_epi16(v[0], v[4]), difference = _mm256_sub_epi16(v[0], v[4]);
  const Words v73 = _mm256_add_epi16(v[7], v[3]), v51 = _mm256_add_epi16(v[5], v[1]);
  Words low[8], high[8];
  half_pass<kShift>(_mm256_unpacklo_epi16(sum, difference), _mm256_unpacklo_epi16(v[2], v[6]),
                    _mm256_unpacklo_epi16(v[7], v[1]), _mm256_unpacklo_epi16(v[5], v[3]),
                    _mm256_unpacklo_epi16(v73, v51), low);
  half_pass<kShift>(_mm256_unpackhi_epi16(sum, difference), _mm256_unpackhi_epi16(v[2], v[6]),
                    _mm256_unpackhi_epi16(v[7], v[1]), _mm256_unpackhi_epi16(v[5], v[3]),
                    _mm256_unpackhi_epi16(v73, v51), high);
  for (int i = 0; i < 8; ++i) v[i] = _mm256_packs_epi32(low[i], high[i]);
}

// Transposes both blocks.
inline void transpose(Words (&v)[8]) {
  Words a[8], b[8];
  for (int i = 0; i < 4; ++i) {
    a[2 * i] = _mm256_unpacklo_epi16(v[2 * i], v[2 * i + 1]);
    a[2 * i + 1] = _mm256_unpackhi_epi16(v[2 * i], v[2 * i + 1]);
  }
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 2; ++j) {
      b[4 * i + 2 * j] = _mm256_unpacklo_epi32(a[4 * i + j], a[4 * i + 2 + j]);
      b[4 * i + 2 * j + 1] = _mm256_unpackhi_epi32(a[4 * i + j], a[4 * i + 2 + j]);
    }
  for (int i = 0; i < 4; ++i) {
    v[2 * i] = _mm256_unpacklo_epi64(b[i], b[4 + i]);
    v[2 * i + 1] = _mm256_unpackhi_epi64(b[i], b[4 + i]);
  }
}

inline void invert(const Block& one, const Block& other) {
  const auto both = [](const std::int16_t* a, const std::int16_t* b) {
    return _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a))),
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(b)), 1);
  };
  Words v[8];
  for (Index i = 0; i < 8; ++i)
    v[i] = _mm256_mullo_epi16(both(one.values + 8 * i, other.values + 8 * i),
                              both(one.factors + 8 * i, other.factors + 8 * i));
  pass<kFirstShift>(v);
  transpose(v);
  pass<kSecondShift>(v);
  transpose(v);
  for (Index i = 0; i < 8; i += 2) {
    const Words rows = _mm256_xor_si256(_mm256_packs_epi16(v[i], v[i + 1]), _mm256_set1_epi8(-128));
    const __m128i a = _mm256_castsi256_si128(rows), b = _mm256_extracti128_si256(rows, 1);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(one.out + i * one.stride), a);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(one.out + (i + 1) * one.stride),
                     _mm_srli_si128(a, 8));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(other.out + i * other.stride), b);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(other.out + (i + 1) * other.stride),
                     _mm_srli_si128(b, 8));
  }
}

inline void invert(const Block& block) {
  alignas(16) Byte unused[64];
  invert(block, Block{block.values, block.factors, unused, 8});
}

#else

// A pass on eight values that lie ``step`` apart.
template <int kShift>
inline void pass(const std::int16_t* in, std::int16_t* out, Index step) {
  using Wide = std::uint32_t;  // sums wrap around
  const auto at = [&](Index i) { return static_cast<int>(in[i * step]); };
  const auto times = [](int a, int b, const int (&by)[2]) {
    return static_cast<Wide>(a) * static_cast<Wide>(by[0]) +
           static_cast<Wide>(b) * static_cast<Wide>(by[1]);
  };
  const Wide round = Wide{1} << (kShift - 1);
  const Wide sum = times(wrapped(at(0) + at(4)), 0, {8192, 0}) + round;
  const Wide difference = times(wrapped(at(0) - at(4)), 0, {8192, 0}) + round;
  const Wide outer = times(at(2), at(6), kEven[0]), inner = times(at(2), at(6), kEven[1]);
  const Wide even[4] = {sum + outer, difference + inner, difference - inner, sum - outer};
  const int v73 = wrapped(at(7) + at(3)), v51 = wrapped(at(5) + at(1));
  const Wide one = times(v73, v51, kSums[0]), other = times(v73, v51, kSums[1]);
  const Wide odd[4] = {
      times(at(7), at(1), kOuter[0]) + one, times(at(5), at(3), kInner[0]) + other,
      times(at(5), at(3), kInner[1]) + one, times(at(7), at(1), kOuter[1]) + other};
  int found[8];
  for (Index i = 0; i < 4; ++i) {
    found[i] = static_cast<int>(even[i] + odd[i]) >> kShift;
    found[7 - i] = static_cast<int>(even[i] - odd[i]) >> kShift;
  }
  for (Index i = 0; i < 8; ++i) out[i * step] = static_cast<std::int16_t>(saturated(found[i]));
}

inline void invert(const Block& block) {
  std::int16_t v[64];
  for (Index i = 0; i < 64; ++i)
    v[i] = static_cast<std::int16_t>(block.values[i] * block.factors[i]);
  for (Index x = 0; x < 8; ++x) pass<kFirstShift>(v + x, v + x, 8);
  for (Index y = 0; y < 8; ++y) pass<kSecondShift>(v + 8 * y, v + 8 * y, 1);
  for (Index y = 0; y < 8; ++y)
    for (Index x = 0; x < 8; ++x)
      block.out[y * block.stride + x] =
          static_cast<Byte>(std::max(-128, std::min(127, int{v[8 * y + x]})) + 128);
}

inline void invert(const Block& one, const Block& other) {
  invert(one);
  invert(other);
}

#endif

}  // namespace jpeg

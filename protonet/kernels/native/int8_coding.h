// Floats as bytes: code = x / scale + zero, rounded to even and kept within 0 to 255.
#pragma once

#include "int8_layout.h"
#include "int8_vec.h"

#if defined(__AVX2__)

struct Coding {
  float inverse;  // of the scale
  int zero;
};

// Codes of a vector of values, in 32 bits. NaN becomes 0.
struct Encoder {
  explicit Encoder(const Coding& c)
      : inverse(splat(c.inverse)), low(splat(static_cast<float>(-c.zero))),
        high(splat(static_cast<float>(255 - c.zero))), zero(NATIVE(set1_epi32)(c.zero)) {}

  Ints operator()(Vec x) const {
    return NATIVE(add_epi32)(rounded(min(max(x * inverse, low), high)), zero);
  }

  Vec inverse, low, high;
  Ints zero;
};

// Codes of four vectors of values, as instructions pack them: the first four of each vector, then
// the next four, and so on. Packing saturates, so that no lower bound is needed; NaN becomes 0.
// With `rectify`, values below 0 have the code of 0.
struct Packer {
  Packer(const Coding& c, bool rectify)
      : inverse(splat(c.inverse)), high(splat(static_cast<float>(255 - c.zero))),
        zero(NATIVE(set1_epi16)(static_cast<short>(c.zero))),
        least(rectify ? NATIVE(set1_epi8)(static_cast<char>(c.zero)) : Ints{}) {}

  Ints operator()(Vec a, Vec b, Vec c, Vec d) const {
    return NATIVE(max_epu8)(NATIVE(packus_epi16)(words(a, b), words(c, d)), least);
  }

  Ints words(Vec a, Vec b) const {
    return NATIVE(adds_epi16)(NATIVE(packs_epi32)(bounded(a), bounded(b)), zero);
  }

  Ints bounded(Vec x) const { return rounded(min(high, x * inverse)); }

  Vec inverse, high;
  Ints zero, least;
};

inline void transpose_words(Ints (&v)[kLanes]) {
  Vec w[kLanes];
  for (Index i = 0; i < kLanes; ++i) w[i] = reinterpret_cast<Vec>(v[i]);
  transpose(w);
  for (Index i = 0; i < kLanes; ++i) v[i] = reinterpret_cast<Ints>(w[i]);
}

// The codes of `count` pixels of planes `plane` floats apart, as pixels of bytes.
inline void encode_pixels(const float* x, Index plane, Index channels, Index count,
                          const Encoder& encode, Byte* to, Index pixel) {
  for (Index p = 0; p < count; p += kLanes) {
    const Index here = std::min(kLanes, count - p);
    const FirstLanes lanes(here);
    for (Index c = 0; c < channels; c += kBytes) {
      const Index quads = std::min(kLanes, (channels - c + 3) / 4);
      Ints words[kLanes];
      for (Index q = 0; q < quads; ++q) {
        const float* from = x + (c + 4 * q) * plane + p;
        const Index some = std::min<Index>(4, channels - c - 4 * q);
        Ints word = encode(lanes.load(from));
        for (Index i = 1; i < some; ++i)
          word |= NATIVE(slli_epi32)(encode(lanes.load(from + i * plane)),
                                     static_cast<int>(8 * i));
        words[q] = word;
      }
      if (pixel == 4) {
        FirstBytes(4 * here).store(to + p * pixel, words[0]);
        continue;
      }
      for (Index q = quads; q < kLanes; ++q) words[q] = Ints{};
      transpose_words(words);
      const FirstBytes bytes(4 * quads);
      for (Index r = 0; r < here; ++r) bytes.store(to + (p + r) * pixel + c, words[r]);
    }
  }
}

// The codes of `count` adjacent values.
inline void encode_values(const float* x, Index count, const Encoder& encode, Byte* to) {
  for (Index i = 0; i < count; i += kLanes)
    store_narrowed(to + i, encode(load_some(x + i, count - i)), count - i);
}

#endif

// From the samples of a JPEG file's components to pixels.
#pragma once

#include "jpeg_format.h"

namespace jpeg {

// Rows twice as wide, each new sample a quarter of the way to a neighbour: ``in`` has one sample
// more on either side, a repeated one at the edges. Where its values are sums of 4 samples, kShift
// is 4, where they are samples, 2. Rounding alternates.
template <int kShift>
inline void widen(const std::uint16_t* __restrict in, std::uint16_t* __restrict out, Index count) {
  constexpr int first = kShift == 4 ? 8 : 1, second = kShift == 4 ? 7 : 2;
  for (Index i = 0; i < count; ++i) {
    const int near = 3 * in[i];
    const int left = (near + in[i - 1] + first) >> kShift;
    const int right = (near + in[i + 1] + second) >> kShift;
    out[i] = static_cast<std::uint16_t>(left | right << 8);  // two bytes
  }
}

// A row of pixels from brightness and the two differences of colour (JFIF 1.02, section 7), in
// 16-bit fractions: red is the level and 91881 / 65536 of its difference, rounded, and so on. The
// factors are split into whole numbers and fractions whose products vectors of 16 bits hold the
// upper half of.
inline void colour(const Byte* __restrict y, const Byte* __restrict cb, const Byte* __restrict cr,
                   Byte* __restrict blue, Byte* __restrict green, Byte* __restrict red,
                   Index count) {
  using Word = std::int16_t;
  const auto bounded = [](int x) { return static_cast<Byte>(x < 0 ? 0 : x > 255 ? 255 : x); };
  const auto rounded = [](Word twice, Word factor) {
    return static_cast<Word>((static_cast<Word>((twice * factor) >> 16) + 1) >> 1);
  };
  for (Index i = 0; i < count; ++i) {
    const Word level = y[i], b = static_cast<Word>(cb[i] - 128);
    const Word twice = static_cast<Word>(2 * b);
    blue[i] = bounded(static_cast<Word>(level + twice + rounded(twice, -14942)));
  }
  for (Index i = 0; i < count; ++i) {
    const Word level = y[i], r = static_cast<Word>(cr[i] - 128);
    red[i] = bounded(static_cast<Word>(level + r + rounded(static_cast<Word>(2 * r), 26345)));
  }
  for (Index i = 0; i < count; ++i) {
    const int level = y[i], b = cb[i] - 128, r = cr[i] - 128;
    green[i] = bounded(level + ((32768 - 22554 * b - 46802 * r) >> 16));
  }
}

// Gives the rows of a component in the resolution of the image.
class Rows {
 public:
  Rows(const Byte* samples, const Component& part, int across, int down)
      : samples_(samples), part_(part), halves_(across == 2), both_(down == 2) {
    if (halves_) {
      const auto count = static_cast<std::size_t>(part.columns);
      narrow_.resize(count + 2), wide_.resize(count);
    }
  }

  // Valid until the next call.
  const Byte* row(Index y) {
    if (!halves_) return samples_ + y * part_.stride;
    std::uint16_t* in = narrow_.data() + 1;
    const Index count = part_.columns;
    if (both_) {
      const Index near = y / 2, last = part_.rows - 1;
      const Index far = y % 2 ? std::min(near + 1, last) : std::max<Index>(near - 1, 0);
      const Byte *a = samples_ + near * part_.stride, *b = samples_ + far * part_.stride;
      for (Index i = 0; i < count; ++i) in[i] = static_cast<std::uint16_t>(3 * a[i] + b[i]);
    } else {
      const Byte* a = samples_ + y * part_.stride;
      for (Index i = 0; i < count; ++i) in[i] = a[i];
    }
    in[-1] = in[0], in[count] = in[count - 1];
    both_ ? widen<4>(in, wide_.data(), count) : widen<2>(in, wide_.data(), count);
    return reinterpret_cast<const Byte*>(wide_.data());
  }

 private:
  const Byte* samples_;
  const Component& part_;
  bool halves_, both_;
  std::vector<std::uint16_t> narrow_, wide_;
};

}  // namespace jpeg

// Depthwise convolution of bytes: each channel has one output, which sums over its own window.
#include <nanobind/nanobind.h>

#include <algorithm>

#include "bindings.h"
#include "features.h"
#include "int8_pixels.h"

namespace nb = nanobind;

#if defined(__AVX512F__)

namespace {

constexpr Index kChannels = 64;      // of a block: one vector of bytes
constexpr Index kQuad = 4 * 64;      // bytes of a block's channels in four rows
constexpr Index kStrip = 24 * 1024;  // bytes of the quads of a strip, about

// Four rows of 64 channels as quadruples of a channel. Vector v has the channels 4 v to 4 v + 3 of
// each sixteen: so 32-bit results of the four vectors are packed back without another shuffle.
inline void put_quads(__m512i a, __m512i b, __m512i c, __m512i d, Byte* to) {
  const __m512i ab = _mm512_unpacklo_epi8(a, b), more = _mm512_unpackhi_epi8(a, b);
  const __m512i cd = _mm512_unpacklo_epi8(c, d), far = _mm512_unpackhi_epi8(c, d);
  _mm512_store_si512(to, _mm512_unpacklo_epi16(ab, cd));
  _mm512_store_si512(to + 64, _mm512_unpackhi_epi16(ab, cd));
  _mm512_store_si512(to + 128, _mm512_unpacklo_epi16(more, far));
  _mm512_store_si512(to + 192, _mm512_unpackhi_epi16(more, far));
}

// Where a channel of a block is among the 64 words of its vectors.
inline Index word_of(Index channel) {
  return channel % 16 / 4 * 16 + channel / 16 * 4 + channel % 4;
}

// Rows of the image are read four at a time, and made quads once for all windows over them. Two
// rows of windows share quads where that needs no more of them: 3 x 3 windows one row apart read
// four rows, with a weight of 0 for the row that is not theirs.
class Int8Depthwise {
 public:
  Int8Depthwise(const ConvolutionShape& s, const Int8Ends& ends)
      : s_(s), ends_(ends), pixel_(pixel_bytes(s.channels)),
        blocks_((s.channels + kChannels - 1) / kChannels) {
    const bool adjacent = s.stride.y == 1 && s.dilation.y == 1;
    together_ = adjacent && s.kernel.y % 4 != 0 && s.out.y > 1 ? 2 : 1;
    rows_ = s.kernel.y + together_ - 1;
    quads_ = (rows_ + 3) / 4;
    const Index column = quads_ * kQuad, gap = s.dilation.x * (s.kernel.x - 1) + 1;
    strip_ = std::clamp<Index>((kStrip / column - gap) / s.stride.x + 1, 4, s.out.x + 3) / 4 * 4;
    columns_ = (strip_ - 1) * s.stride.x + gap;
    const Index all = blocks_ * kChannels;
    start_.assign(all, 0);
    factor_.assign(all, 0.0f);
    shift_.assign(all, 0.0f);
    weights_.assign(all * 4 * quads_ * s.kernel.x * together_, 0);
  }

  // Weights as channels x taps, and factor and shift of each channel.
  void prepare(Codes w, Floats factor, Floats shift) {
    for (Index c = 0; c < s_.channels; ++c) {
      const Index word = word_of(c % kChannels), at = c / kChannels * kChannels + word;
      std::int32_t sum = 0;
      for (Index i = 0; i < s_.kernel.y; ++i)
        for (Index j = 0; j < s_.kernel.x; ++j) {
          const std::int8_t each = w.data()[(c * s_.kernel.y + i) * s_.kernel.x + j];
          sum += each;
          for (Index t = 0; t < together_; ++t)
            weights_[weight(c / kChannels, t, j, (i + t) / 4) + word * 4 + (i + t) % 4] = each;
        }
      start_[at] = -ends_.source.zero * sum;
      factor_[at] = factor.data()[c];
      shift_[at] = shift.data()[c];
    }
  }

  void forward(Floats x, MutableFloats y, bool rectify) const {
    const Byte* codes = ends_.takes_codes ? reinterpret_cast<const Byte*>(x.data()) : coded(x);
    const Index groups = (s_.out.y + together_ - 1) / together_, across = s_.images * groups;
    const Index sets = std::min(blocks_, parts_of(across, blocks_));
    parallel(across * sets, [&](Index task) {
      const Index image = task / sets / groups, row = task / sets % groups * together_;
      const Index set = task % sets;
      for (Index b = blocks_ * set / sets; b < blocks_ * (set + 1) / sets; ++b)
        compute(codes + image * s_.plane() * pixel_, {image, row, b}, y.data(), rectify);
    });
  }

 private:
  struct Part {
    Index image, row, block;
  };

  // Where the weights of a block are, for a row of windows, a column of taps and a quad.
  Index weight(Index block, Index t, Index column, Index quad) const {
    return (((block * together_ + t) * s_.kernel.x + column) * quads_ + quad) * kQuad;
  }

  const Byte* coded(const Floats& x) const {
    Byte* codes = reinterpret_cast<Byte*>(
        thread_scratch(Scratch::kImage, s_.images * s_.plane() * pixel_ / 4 + 1));
    encode_images(x.data(), s_, Encoder(ends_.source), codes);
    return codes;
  }

  void compute(const Byte* image, const Part& part, float* y, bool rectify) const {
    Byte* quads = reinterpret_cast<Byte*>(
        thread_scratch(Scratch::kStrips, columns_ * quads_ * kQuad / 4));
    for (Index first = 0; first < s_.out.x; first += strip_) {
      const Index count = std::min(strip_, s_.out.x - first);
      arrange(image + part.block * kChannels, part, first * s_.stride.x - s_.pad.x,
              (count - 1) * s_.stride.x + s_.dilation.x * (s_.kernel.x - 1) + 1, quads);
      for (Index t = 0; t < std::min(together_, s_.out.y - part.row); ++t) {
        if (s_.kernel.x == 3 && quads_ == 1) sum_strip<3>(quads, part, t, first, count, y, rectify);
        else sum_strip<0>(quads, part, t, first, count, y, rectify);
      }
    }
  }

  template <Index KX>
  void sum_strip(const Byte* quads, const Part& part, Index t, Index first, Index count, float* y,
                 bool rectify) const {
    Index p = 0;
    for (; p + 4 <= count; p += 4) sum<4, KX>(quads, part, t, first, p, y, rectify);
    for (; p < count; ++p) sum<1, KX>(quads, part, t, first, p, y, rectify);
  }

  // The quads of `count` columns from `first` on; padding has the code of 0.
  void arrange(const Byte* x, const Part& part, Index first, Index count, Byte* quads) const {
    const __mmask64 lanes = lanes_of(part.block);
    const __m512i zero = _mm512_set1_epi8(static_cast<char>(ends_.source.zero));
    const Index left = std::clamp<Index>(-first, 0, count);
    const Index right = std::clamp<Index>(s_.width - first, left, count);
    alignas(64) Byte zeros[64];
    _mm512_store_si512(zeros, zero);
    for (Index q = 0; q < quads_; ++q) {
      const Byte* at[4];
      Index step[4];
      for (Index k = 0; k < 4; ++k) {
        const Index i = 4 * q + k;
        const Index row = part.row * s_.stride.y - s_.pad.y + i * s_.dilation.y;
        const bool there = i < rows_ && row >= 0 && row < s_.height;
        at[k] = there ? x + (row * s_.width + first + left) * pixel_ : zeros;
        step[k] = there ? pixel_ : 0;
      }
      Byte* to = quads + q * kQuad;
      Index c = 0;
      for (; c < left; ++c) put_quads(zero, zero, zero, zero, to + c * quads_ * kQuad);
      for (; c < right; ++c) {
        __m512i row[4];
        for (Index k = 0; k < 4; ++k) {
          row[k] = _mm512_maskz_loadu_epi8(lanes, at[k]);
          at[k] += step[k];
        }
        put_quads(row[0], row[1], row[2], row[3], to + c * quads_ * kQuad);
      }
      for (; c < count; ++c) put_quads(zero, zero, zero, zero, to + c * quads_ * kQuad);
    }
  }

  __mmask64 lanes_of(Index block) const { return first_bytes(pixel_ - block * kChannels); }

  // P windows of row `t`, of which the first is at column `p` of the strip that begins at `first`.
  // They are of KX columns of one quad, if KX is not 0.
  template <Index P, Index KX>
  WITH_VNNI void sum(const Byte* quads, const Part& part, Index t, Index first, Index p, float* y,
                     bool rectify) const {
    const Index columns = KX != 0 ? KX : s_.kernel.x, high = KX != 0 ? 1 : quads_;
    const Index channel = part.block * kChannels, step = s_.stride.x * high * kQuad;
    __m512 found[P][4];
#pragma GCC unroll 4
    for (Index v = 0; v < 4; ++v) {
      __m512i totals[P];
      const __m512i start = _mm512_loadu_si512(start_.data() + channel + 16 * v);
#pragma GCC unroll 4
      for (Index i = 0; i < P; ++i) totals[i] = start;
      const std::int8_t* w = weights_.data() + weight(part.block, t, 0, 0) + 64 * v;
#pragma GCC unroll 3
      for (Index j = 0; j < columns; ++j) {
        const Byte* from = quads + (p * s_.stride.x + j * s_.dilation.x) * high * kQuad + 64 * v;
        for (Index q = 0; q < high; ++q, w += kQuad, from += kQuad) {
          const __m512i weights = _mm512_loadu_si512(w);
#pragma GCC unroll 4
          for (Index i = 0; i < P; ++i)
            totals[i] =
                _mm512_dpbusd_epi32(totals[i], _mm512_load_si512(from + i * step), weights);
        }
      }
      const __m512 factor = _mm512_loadu_ps(factor_.data() + channel + 16 * v);
      const __m512 shift = _mm512_loadu_ps(shift_.data() + channel + 16 * v);
#pragma GCC unroll 4
      for (Index i = 0; i < P; ++i)
        found[i][v] = _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(totals[i]), factor), shift);
    }
    const Index place = (part.row + t) * s_.out.x + first + p;
    if (ends_.gives_codes) {
      const Packer pack(ends_.target, rectify);
      Byte* to = reinterpret_cast<Byte*>(y) + (part.image * s_.places() + place) * pixel_ + channel;
      const __mmask64 lanes = lanes_of(part.block);
#pragma GCC unroll 4
      for (Index i = 0; i < P; ++i) {
        const __m512i codes = pack(found[i][0], found[i][1], found[i][2], found[i][3]);
        if (lanes == ~__mmask64{0}) _mm512_storeu_si512(to + i * pixel_, codes);
        else _mm512_mask_storeu_epi8(to + i * pixel_, lanes, codes);
      }
      return;
    }
    for (Index i = 0; i < P; ++i) {
      alignas(64) float values[kChannels];
      for (Index v = 0; v < 4; ++v)
        _mm512_store_ps(values + 16 * v,
                        rectify ? _mm512_max_ps(found[i][v], _mm512_setzero_ps()) : found[i][v]);
      float* to = y + (part.image * s_.channels + channel) * s_.places() + place + i;
      for (Index c = 0; c < std::min(kChannels, s_.channels - channel); ++c)
        to[c * s_.places()] = values[word_of(c)];
    }
  }

  ConvolutionShape s_;
  Int8Ends ends_;
  Index pixel_, blocks_;
  Index together_, rows_, quads_;  // rows of windows at once, the rows that they read, in quads
  Index strip_, columns_;          // windows of a strip, and the columns that they read
  std::vector<std::int32_t> start_;
  std::vector<float> factor_, shift_;
  std::vector<std::int8_t> weights_;
};

}  // namespace

#endif

void add_int8_depthwise(nb::module_& m) {
#if defined(__AVX512F__)
  bind_int8(nb::class_<Int8Depthwise>(m, "Int8Depthwise"));
#else
  (void)m;
#endif
}

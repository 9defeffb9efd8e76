// Depthwise convolution of bytes: each channel has one output, which sums over its own window.
#include <nanobind/nanobind.h>

#include <algorithm>

#include "bindings.h"
#include "features.h"
#include "int8_pixels.h"

namespace nb = nanobind;

#if defined(__AVX2__)

namespace {

constexpr Index kChannels = kBytes;  // of a block: one vector of bytes
constexpr Index kQuad = 4 * 64;      // bytes of a block's channels in four rows
constexpr Index kStrip = 24 * 1024;  // bytes of the quads of a strip, about

// Quads: the codes of four rows under a window, in a vector's worth of channels. Their products with
// weights are one instruction with AVX512_VNNI; with AVX2 they are words of two rows, and of the two
// others behind them. Vector v has the channels 4 v to 4 v + 3 of each sixteen: so 32-bit results of the four vectors
// are packed back without another shuffle.
#if defined(__AVX512F__)

using Weight = std::int8_t;

inline void put_quads(Ints a, Ints b, Ints c, Ints d, Byte* to) {
  const Ints ab = _mm512_unpacklo_epi8(a, b), more = _mm512_unpackhi_epi8(a, b);
  const Ints cd = _mm512_unpacklo_epi8(c, d), far = _mm512_unpackhi_epi8(c, d);
  store_ints(to, _mm512_unpacklo_epi16(ab, cd));
  store_ints(to + 64, _mm512_unpackhi_epi16(ab, cd));
  store_ints(to + 128, _mm512_unpacklo_epi16(more, far));
  store_ints(to + 192, _mm512_unpackhi_epi16(more, far));
}

WITH_VNNI inline Ints add_quads(Ints total, const Byte* codes, const Weight* weights) {
  return _mm512_dpbusd_epi32(total, load_ints(codes), load_ints(weights));
}

inline Index weight_of(Index word, Index row) { return word * 4 + row; }

#else

using Weight = std::int16_t;

inline void put_pairs(Ints a, Ints b, Byte* to) {
  const Ints near = _mm256_unpacklo_epi8(a, b), far = _mm256_unpackhi_epi8(a, b);
  store_ints(to, _mm256_unpacklo_epi8(near, Ints{}));
  store_ints(to + 32, _mm256_unpackhi_epi8(near, Ints{}));
  store_ints(to + 64, _mm256_unpacklo_epi8(far, Ints{}));
  store_ints(to + 96, _mm256_unpackhi_epi8(far, Ints{}));
}

inline void put_quads(Ints a, Ints b, Ints c, Ints d, Byte* to) {
  put_pairs(a, b, to);
  put_pairs(c, d, to + kQuad / 2);
}

inline Ints add_quads(Ints total, const Byte* codes, const Weight* weights) {
  const Ints near = _mm256_madd_epi16(load_ints(codes), load_ints(weights));
  const Ints far = _mm256_madd_epi16(load_ints(codes + kQuad / 2), load_ints(weights + kQuad / 4));
  return _mm256_add_epi32(total, _mm256_add_epi32(near, far));
}

inline Index weight_of(Index word, Index row) {
  return row / 2 * (kQuad / 4) + word * 2 + row % 2;
}

#endif

constexpr Index kWeights = kQuad / sizeof(Weight);  // of a quad

// Where a channel of a block is among the words of its four vectors.
inline Index word_of(Index channel) {
  return channel % 16 / 4 * kLanes + channel / 16 * 4 + channel % 4;
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
    weights_.assign(blocks_ * together_ * s.kernel.x * quads_ * kWeights, 0);
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
            weights_[weight(c / kChannels, t, j, (i + t) / 4) + weight_of(word, (i + t) % 4)] =
                each;
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
    return (((block * together_ + t) * s_.kernel.x + column) * quads_ + quad) * kWeights;
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
    const FirstBytes lanes = lanes_of(part.block);
    const Ints zero = NATIVE(set1_epi8)(static_cast<char>(ends_.source.zero));
    const Index left = std::clamp<Index>(-first, 0, count);
    const Index right = std::clamp<Index>(s_.width - first, left, count);
    alignas(64) Byte zeros[kBytes];
    store_ints(zeros, zero);
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
        Ints row[4];
        for (Index k = 0; k < 4; ++k) {
          row[k] = lanes.load(at[k]);
          at[k] += step[k];
        }
        put_quads(row[0], row[1], row[2], row[3], to + c * quads_ * kQuad);
      }
      for (; c < count; ++c) put_quads(zero, zero, zero, zero, to + c * quads_ * kQuad);
    }
  }

  FirstBytes lanes_of(Index block) const { return FirstBytes(pixel_ - block * kChannels); }

  // P windows of row `t`, of which the first is at column `p` of the strip that begins at `first`.
  // They are of KX columns of one quad, if KX is not 0.
  template <Index P, Index KX>
  WITH_VNNI void sum(const Byte* quads, const Part& part, Index t, Index first, Index p, float* y,
                     bool rectify) const {
    const Index columns = KX != 0 ? KX : s_.kernel.x, high = KX != 0 ? 1 : quads_;
    const Index channel = part.block * kChannels, step = s_.stride.x * high * kQuad;
    Vec found[P][4];
#pragma GCC unroll 4
    for (Index v = 0; v < 4; ++v) {
      Ints totals[P];
      const Ints start = load_ints(start_.data() + channel + kLanes * v);
#pragma GCC unroll 4
      for (Index i = 0; i < P; ++i) totals[i] = start;
      const Index at = v * 4 * kLanes;
      const Weight* w = weights_.data() + weight(part.block, t, 0, 0) + at / sizeof(Weight);
#pragma GCC unroll 3
      for (Index j = 0; j < columns; ++j) {
        const Byte* from = quads + (p * s_.stride.x + j * s_.dilation.x) * high * kQuad + at;
        for (Index q = 0; q < high; ++q, w += kWeights, from += kQuad) {
#pragma GCC unroll 4
          for (Index i = 0; i < P; ++i) totals[i] = add_quads(totals[i], from + i * step, w);
        }
      }
      const Vec factor = load(factor_.data() + channel + kLanes * v);
      const Vec shift = load(shift_.data() + channel + kLanes * v);
#pragma GCC unroll 4
      for (Index i = 0; i < P; ++i) found[i][v] = to_floats(totals[i]) * factor + shift;
    }
    const Index place = (part.row + t) * s_.out.x + first + p;
    if (ends_.gives_codes) {
      const Packer pack(ends_.target, rectify);
      Byte* to = reinterpret_cast<Byte*>(y) + (part.image * s_.places() + place) * pixel_ + channel;
      const FirstBytes lanes = lanes_of(part.block);
#pragma GCC unroll 4
      for (Index i = 0; i < P; ++i) {
        const Ints codes = pack(found[i][0], found[i][1], found[i][2], found[i][3]);
        if (lanes.all()) store_ints(to + i * pixel_, codes);
        else lanes.store(to + i * pixel_, codes);
      }
      return;
    }
    for (Index i = 0; i < P; ++i) {
      alignas(64) float values[kChannels];
      for (Index v = 0; v < 4; ++v)
        store(values + kLanes * v, rectify ? max(found[i][v], Vec{}) : found[i][v]);
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
  std::vector<Weight> weights_;
};

}  // namespace

#endif

void add_int8_depthwise(nb::module_& m) {
#if defined(__AVX2__)
  bind_int8(nb::class_<Int8Depthwise>(m, "Int8Depthwise"));
#else
  (void)m;
#endif
}

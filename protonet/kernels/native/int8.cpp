// Convolution of bytes with 8-bit weights; a product of matrices is one with windows of one pixel.
#include <nanobind/nanobind.h>

#include <stdexcept>

#include "arrays.h"
#include "bindings.h"
#include "int8_pixels.h"
#include "int8_results.h"
#include "pool.h"

namespace nb = nanobind;

#if defined(__AVX2__)

namespace {

class Int8Convolution {
 public:
  Int8Convolution(const ConvolutionShape& s, const Int8Ends& ends)
      : s_(s), ends_(ends), layout_(s),
        tiles_(features().tiles_int8 && layout_.out.y * layout_.out.x > 8),
        columns_(tiles_ ? layout_.row : layout_.out.x),
        windows_((layout_.out.y - 1) * columns_ + layout_.out.x),
        blocks_((s.group_outputs() + 15) / 16) {
    const Index steps = (windows_ + kStep - 1) / kStep;
    step_ = round_up((windows_ + steps - 1) / steps, tiles_ ? kSide : kAtOnce);
    const Index each = s.groups * blocks_ * 16 + 16;
    offset_.assign(each, 0);
    factor_.assign(each, 0.0f);
    shift_.assign(each, 0.0f);
    weights_.assign(s.groups * blocks_ * pieces() * kBlock + 64, 0);
  }

  // Weights as outputs x channels of a group x taps, and factor and shift of each output.
  void prepare(Codes w, Floats factor, Floats shift) {
    parallel(s_.groups * blocks_, [&](Index block) { pack(w.data(), block); });
    for (Index g = 0; g < s_.groups; ++g)
      for (Index o = 0; o < s_.group_outputs(); ++o) {
        const Index output = g * s_.group_outputs() + o, at = g * blocks_ * 16 + o;
        const Index depth = s_.group_channels() * s_.taps();
        std::int32_t sum = 0;
        for (Index k = 0; k < depth; ++k) sum += w.data()[output * depth + k];
        offset_[at] = ends_.source.zero * sum;
        factor_[at] = factor.data()[output];
        shift_[at] = shift.data()[output];
      }
  }

  void forward(Floats x, MutableFloats y, bool rectify) const {
    const Byte* codes = direct(x) ? reinterpret_cast<const Byte*>(x.data()) : coded(x);
    // Tasks: the outputs of a group in sets of pairs of blocks, and within each all windows.
    const Index steps = (windows_ + step_ - 1) / step_, across = layout_.images * steps;
    const Index pairs = (blocks_ + 1) / 2;
    const Index sets = std::min(pairs, std::max<Index>(1, (4 * threads() + across - 1) / across));
    parallel(s_.groups * sets * across, [&](Index task) {
      const Index at = task % across, g = task / across / sets, set = task / across % sets;
      const Range range{at / steps, at % steps * step_, pairs * set / sets,
                        pairs * (set + 1) / sets};
      compute(g, range, codes, y.data(), rectify);
    });
  }

 private:
  struct Range {
    Index image, window, pair, last;
  };

  Index pieces() const { return static_cast<Index>(layout_.pieces.size()); }

  static constexpr Index kStep = kLanes == 16 ? 256 : kSide;  // windows of a task, at most

  void pack(const std::int8_t* w, Index block) {
    const Index g = block / blocks_, first = block % blocks_ * 16;
    std::int8_t* to = weights_.data() + block * pieces() * kBlock;
    for (const Int8Layout::Run& run : layout_.runs)
      for (Index done = 0; done < run.bytes; done += 64, to += kBlock)
        for (Index b = done; b < std::min(run.bytes, done + 64); ++b) {
          const Index channel = layout_.merges ? b % layout_.pixel : b;
          if (channel >= s_.group_channels()) continue;
          const Index column = run.tap.x + (layout_.merges ? b / layout_.pixel : 0);
          const Index tap = run.tap.y * s_.kernel.x + column;
          for (Index o = 0; o < std::min<Index>(16, s_.group_outputs() - first); ++o) {
            const Index output = g * s_.group_outputs() + first + o;
            to[(b - done) / 4 * 64 + o * 4 + b % 4] =
                w[(output * s_.group_channels() + channel) * s_.taps() + tap];
          }
        }
  }

  // Whether windows can be read where the codes are: single pixels, and memory behind the last.
  bool direct(const Floats& x) const {
    if (!ends_.takes_codes || s_.pad.y != 0 || s_.pad.x != 0 || s_.stride.y != 1 ||
        layout_.width != s_.width)
      return false;
    return s_.images * layout_.image + behind() <= static_cast<Index>(x.size()) * 4;
  }

  // Bytes that may be read behind the last image.
  Index behind() const { return (kSide - 1) * layout_.place + 128; }

  const Byte* coded(const Floats& x) const {
    const Index size = s_.images * layout_.image + behind();
    Byte* codes = reinterpret_cast<Byte*>(thread_scratch(Scratch::kImage, size / 4 + 1));
    const Encoder encode(ends_.source);
    const Byte* bytes = reinterpret_cast<const Byte*>(x.data());
    const bool whole = layout_.width == s_.width && layout_.height == s_.height &&
                       s_.stride.y == 1 && !ends_.takes_codes;
    if (whole && s_.plane() == 1) {
      parallel(s_.images, [&](Index i) {
        encode_values(x.data() + i * s_.channels, s_.channels, encode, codes + i * layout_.image);
      });
    } else if (whole) {
      encode_images(x.data(), s_, encode, codes);
    } else {
      const Index rows = std::max<Index>(1, 256 / layout_.width);
      const Index parts = (layout_.height + rows - 1) / rows;
      parallel(s_.images * parts, [&](Index task) {
        const Index i = task / parts, first = task % parts * rows;
        for (Index y = first; y < std::min(layout_.height, first + rows); ++y)
          put_row(x.data() + i * s_.x_stride(), bytes + i * s_.plane() * layout_.pixel, y, encode,
                  codes + i * layout_.image + layout_.line(y, s_.stride.y));
      });
    }
    return codes;
  }

  // One row of a padded image, from floats or from codes.
  void put_row(const float* x, const Byte* bytes, Index y, const Encoder& encode, Byte* to) const {
    const Index pixel = layout_.pixel, from = y - s_.pad.y;
    if (from < 0 || from >= s_.height) {
      std::memset(to, ends_.source.zero, layout_.width * pixel);
      return;
    }
    std::memset(to, ends_.source.zero, s_.pad.x * pixel);
    const Index behind = s_.pad.x + s_.width;
    std::memset(to + behind * pixel, ends_.source.zero, (layout_.width - behind) * pixel);
    Byte* inner = to + s_.pad.x * pixel;
    if (ends_.takes_codes)
      std::memcpy(inner, bytes + from * s_.width * pixel, s_.width * pixel);
    else
      encode_pixels(x + from * s_.width, s_.plane(), s_.channels, s_.width, encode, inner, pixel);
  }

  void compute(Index g, const Range& range, const Byte* codes, float* y, bool rectify) const {
    const Byte* image = codes + range.image * layout_.image + g * s_.group_channels();
    const Index last = std::min(windows_, range.window + step_), size = pieces() * kBlock;
    const Index at = g * blocks_ * 16, first = g * s_.group_outputs();
    const Int8Epilogue finish{offset_.data() + at, factor_.data() + at, shift_.data() + at,
                              rectify};
    const Packer pack(ends_.target, rectify);
    const Index pixel = pixel_bytes(s_.outputs), end = s_.groups == 1 ? pixel : s_.group_outputs();
    Byte* to = reinterpret_cast<Byte*>(y) + range.image * s_.places() * pixel + first;
    alignas(64) Sums sums;
    Index begin[kStep], places[kStep];
    locate(range.window, last - range.window, begin, places);
#if defined(__AVX512F__)
    if (tiles_) begin_tiles();
#endif
    for (Index pair = range.pair; pair < range.last; ++pair) {
      const Index block = g * blocks_ + 2 * pair;
      const std::int8_t* b = weights_.data() + block * size;
      for (Index p = range.window; p < last; p += kSide) {
        const Index count = std::min(kSide, last - p), here = p - range.window;
        const Int8Operands operands{image, begin + here, layout_.place, count,
                                    layout_.pieces.data(), pieces(),
                                    {b, 2 * pair + 1 < blocks_ ? b + size : nullptr}};
        if (ends_.gives_codes && !tiles_) {
          multiply_by_quads(operands, StoreCodes{finish, pack, to + p * pixel + 32 * pair, pixel,
                                                 32 * pair, end - 32 * pair});
          continue;
        }
#if defined(__AVX512F__)
        if (tiles_) multiply_by_tiles(operands, sums);
        else
#endif
          multiply_by_quads(operands, StoreSums{sums});
        put({sums, places + here, count, 32 * pair, s_.group_outputs()}, finish, first, range.image,
            y);
      }
    }
#if defined(__AVX512F__)
    if (tiles_) end_tiles();
#endif
  }

  // Where windows from the p-th on begin, and the places of their results.
  void locate(Index p, Index count, Index (&begin)[kStep], Index (&places)[kStep]) const {
    Index row = p / columns_, column = p % columns_;
    for (Index i = 0; i < count; ++i) {
      begin[i] = (row * layout_.row + column) * layout_.place;
      places[i] = column < layout_.out.x ? row * layout_.out.x + column : -1;
      if (++column == columns_) column = 0, ++row;
    }
  }

  void put(const Int8Block& block, const Int8Epilogue& finish, Index first, Index image,
           float* y) const {
    if (ends_.gives_codes) {
      const Index pixel = pixel_bytes(s_.outputs);
      Byte* to = reinterpret_cast<Byte*>(y) + image * s_.places() * pixel + first;
      block.encode(finish, Encoder(ends_.target), to, pixel, s_.groups == 1);
    } else if (layout_.collapsed) {
      block.rows(finish, y + first, s_.outputs);
    } else {
      block.planes(finish, y + image * s_.y_stride() + first * s_.places(), s_.places());
    }
  }

  ConvolutionShape s_;
  Int8Ends ends_;
  Int8Layout layout_;
  bool tiles_;
  Index columns_, windows_, step_;  // windows of a row, of an image, and of a task
  Index blocks_;                    // of 16 outputs, of a group
  std::vector<std::int32_t> offset_;
  std::vector<float> factor_, shift_;
  std::vector<std::int8_t> weights_;
};

}  // namespace

#endif

void add_int8(nb::module_& m) {
#if defined(__AVX2__)
  bind_int8(nb::class_<Int8Convolution>(m, "Int8Convolution"));
#else
  (void)m;
#endif
}

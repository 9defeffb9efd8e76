// Convolution of images in bfloat16 whose channels are adjacent (pixels), with packed weights, by
// tiles of AMX.
#include <nanobind/nanobind.h>

#include <map>
#include <stdexcept>

#include "arrays.h"
#include "bindings.h"
#include "pixel_arrange.h"
#include "pixel_layout.h"
#include "pixel_products.h"
#include "pixel_results.h"
#include "pool.h"

namespace nb = nanobind;

#if defined(__AVX512F__)

namespace {

class PixelConvolution {
 public:
  // `planes`: images come as planes, and leave as pixels all the same.
  PixelConvolution(const ConvolutionShape& s, bool planes)
      : s_(s), planes_(planes), layout_(s, planes), blocks_((s.group_outputs() + 15) / 16),
        pairs_((blocks_ + 1) / 2) {
    if (layout_.direct) divide_places();
    else divide_images();
    for (const PixelBand& band : bands_)
      if (offsets_.find(band.rows) == offsets_.end())
        offsets_.emplace(band.rows, layout_.offsets(band.rows));
    // Outputs are divided where bands are not enough for the threads.
    sets_ = parts_of(bands(), pairs_);
  }

  // Weights meet pixels in an order that depends on whether these come as planes.
  const char* packed_form() const { return planes_ ? "pixels of planes" : "pixels"; }
  Index packed_size() const { return s_.groups * blocks_ * pieces() * kPairTile; }

  void pack(Floats w, MutableValues<Pair> packed) const {
    if (static_cast<Index>(packed.size()) != packed_size())
      throw std::invalid_argument("packed weights are of another size");
    nb::gil_scoped_release free;
    parallel(s_.groups * blocks_, [&](Index block) {
      pack_block(w.data(), block, packed.data() + block * pieces() * kPairTile);
    });
  }

  void forward(Values<Bf16> x, Values<Pair> packed, Given factor, Given bias,
               GivenValues<Bf16> addend, Pixels<Bf16> y, Index pixel, bool rectify) const {
    nb::gil_scoped_release free;
    const Call call{x.data(), packed.data(), {at(factor), at(bias), rectify}, at(addend),
                    y.data(), pixel};
    if (layout_.direct || sets_ == 1) {
      parallel(bands() * sets_, [&](Index task) {
        const PixelBand& band = bands_[task / sets_];
        const Bf16* a = layout_.direct ? call.x + band.place * layout_.pixel
                                       : copy(call.x, band, scratch(band_size(band)));
        compute(call, band, a, task % sets_);
      });
      return;
    }
    // All sets read the same copies.
    std::vector<Index> starts(bands_.size() + 1, 0);
    for (std::size_t b = 0; b < bands_.size(); ++b) starts[b + 1] = starts[b] + band_size(bands_[b]);
    Bf16* copies = scratch(starts.back());
    parallel(bands(), [&](Index b) { copy(call.x, bands_[b], copies + starts[b]); });
    parallel(bands() * sets_, [&](Index task) {
      const Index b = task / sets_;
      compute(call, bands_[b], copies + starts[b], task % sets_);
    });
  }

 private:
  static constexpr Index kBand = 1 << 18;  // values of a band, which stay in the L2 cache
  static constexpr Index kChunk = 16;      // pieces whose weights stay in the L1 cache,
  static constexpr Index kGroup = 16;      // for so many blocks of windows

  struct Call {
    const Bf16* x;
    const Pair* packed;
    Epilogue epilogue;
    const Bf16* addend;
    Bf16* y;
    Index pixel;
  };

  Index bands() const { return static_cast<Index>(bands_.size()); }
  Index pieces() const { return static_cast<Index>(layout_.pieces.size()); }
  // Whether it is better to divide weights than images.
  bool heavy(Index values) const { return 2 * packed_size() > values; }

  void divide_places() {
    const Index all = s_.images * s_.places(), steps = (all + kPixelRows - 1) / kPixelRows;
    Index count = (all * layout_.pixel + kBand - 1) / kBand;
    if (!heavy(all * layout_.pixel)) count = std::max<Index>(count, 4 * threads());
    count = std::min(count, steps);
    for (Index b = 0; b < count; ++b) {
      const Index first = steps * b / count * kPixelRows;
      const Index last = std::min(all, steps * (b + 1) / count * kPixelRows);
      bands_.push_back({0, 1, 0, 1, first, last - first});
    }
  }

  void divide_images() {
    const Index size = layout_.copy_size(s_.out.y);
    if (2 * size <= kBand) {
      const Index each = std::max<Index>(1, std::min(kBand / size, s_.images));
      Index count = (s_.images + each - 1) / each;
      if (!heavy(s_.images * size)) count = std::max(count, std::min<Index>(s_.images, 2 * threads()));
      for (Index b = 0; b < count; ++b) {
        const Index first = s_.images * b / count, last = s_.images * (b + 1) / count;
        bands_.push_back({first, last - first, 0, s_.out.y, 0, 0});
      }
      if (s_.images > 1 || heavy(size)) return;
      bands_.clear();
    }
    const Index least = (4 * threads() + s_.images - 1) / s_.images;
    const Index wanted = std::max(least, (size + kBand - 1) / kBand);
    const Index count = std::min(wanted, std::max<Index>(1, s_.out.y / 2));
    for (Index n = 0; n < s_.images; ++n)
      for (Index b = 0; b < count; ++b) {
        const Index first = s_.out.y * b / count, last = s_.out.y * (b + 1) / count;
        bands_.push_back({n, 1, first, last - first, 0, 0});
      }
  }

  void pack_block(const float* w, Index block, Pair* to) const {
    const Index g = block / blocks_, first = block % blocks_ * 16;
    const Index here = std::min<Index>(16, s_.group_outputs() - first);
    const Index taps = s_.taps(), depth = s_.group_channels() * taps;
    const float* rows = w + s_.w_group(g) + first * depth;
    for (const auto& piece : layout_.pieces) {
      auto* values = reinterpret_cast<Bf16*>(to);
      std::fill_n(to, kPairTile, Pair{0});
      for (Index i = 0; i < PixelLayout::kPiece; ++i) {
        const auto [channel, tap] = layout_.met(piece, i);
        if (channel < 0) continue;
        const float* from = rows + channel * taps + tap;
        for (Index o = 0; o < here; ++o)
          values[(i / 2 * 16 + o) * 2 + i % 2] = narrow(from[o * depth]);
      }
      to += kPairTile;
    }
  }

  // With what tiles and pieces may read behind it.
  Index image_size(const PixelBand& band) const { return layout_.copy_size(band.rows); }
  Index band_size(const PixelBand& band) const {
    const Index behind = kPixelRows * layout_.place + PixelLayout::kPiece;
    return (band.images * image_size(band) + behind + 31) / 32 * 32;
  }

  static Bf16* scratch(Index values) {
    return reinterpret_cast<Bf16*>(
        thread_scratch(Scratch::kImage, static_cast<std::size_t>(values / 2 + 1)));
  }

  const Bf16* copy(const Bf16* x, const PixelBand& band, Bf16* to) const {
    const Index size = image_size(band), each = layout_.phase_rows(band.rows);
    for (Index n = 0; n < band.images; ++n)
      for (Index phase = 0; phase < layout_.phases(); ++phase)
        for (Index j = 0; j < each; ++j) {
          const Index row = layout_.single
                                ? (band.row + j) * s_.stride.y
                                : band.row * s_.stride.y + phase + j * layout_.step.y - s_.pad.y;
          copy_row(x + (band.image + n) * s_.x_stride(), row,
                   to + n * size + (phase * each + j) * layout_.width * layout_.pixel);
        }
    // A piece may reach behind the last window, where weights are 0, but NaN may not be.
    std::fill_n(to + band.images * size, PixelLayout::kPiece, Bf16{});
    return to;
  }

  // Row `y` of an image, with its padding.
  void copy_row(const Bf16* x, Index y, Bf16* to) const {
    const Index pixel = layout_.pixel, width = layout_.width;
    if (y < 0 || y >= s_.height) {
      std::memset(static_cast<void*>(to), 0, width * pixel * sizeof(Bf16));
      return;
    }
    if (layout_.single && s_.stride.x > 1) return copy_some(x, y, to);
    const Index before = layout_.single ? 0 : s_.pad.x;
    const Index here = std::min(s_.width, width - before), behind = before + here;
    std::memset(static_cast<void*>(to), 0, before * pixel * sizeof(Bf16));
    std::memset(static_cast<void*>(to + behind * pixel), 0,
                (width - behind) * pixel * sizeof(Bf16));
    Bf16* inner = to + before * pixel;
    if (planes_)
      planes_to_pixels(x + y * s_.width, s_.plane(), s_.channels, here, inner, pixel);
    else
      std::memcpy(static_cast<void*>(inner), x + y * s_.width * pixel, here * pixel * sizeof(Bf16));
  }

  // The pixels of a row that windows of one pixel read.
  void copy_some(const Bf16* x, Index y, Bf16* to) const {
    const Index pixel = layout_.pixel;
    for (Index i = 0; i < s_.out.x; ++i, to += pixel) {
      const Index place = y * s_.width + i * s_.stride.x;
      if (!planes_) {
        std::memcpy(static_cast<void*>(to), x + place * pixel, pixel * sizeof(Bf16));
        continue;
      }
      for (Index c = 0; c < pixel; ++c)
        to[c] = c < s_.channels ? x[c * s_.plane() + place] : Bf16{};
    }
  }

  // One set of the outputs of each group.
  void compute(const Call& call, const PixelBand& band, const Bf16* a, Index set) const {
    const Index chunks = (pieces() + kChunk - 1) / kChunk;
    const std::vector<Index>& offsets = offsets_.at(band.rows);
    const auto windows = windows_of(band);
    auto* sums = reinterpret_cast<PixelSums*>(thread_scratch(
        Scratch::kTiles, kGroup * sizeof(PixelSums) / sizeof(float)));
    begin_pixel_tiles();
    // A group of windows meets all outputs, so that its pixels are written while they are near.
    for (std::size_t w = 0; w < windows.size(); w += kGroup) {
      const std::size_t end = std::min<std::size_t>(windows.size(), w + kGroup);
      for (Index g = 0; g < s_.groups; ++g)
        for (Index pair = pairs_ * set / sets_; pair < pairs_ * (set + 1) / sets_; ++pair) {
          const PixelResults results(call.epilogue, g * s_.group_outputs() + 32 * pair,
                                     std::min<Index>(32, s_.group_outputs() - 32 * pair));
          const Pair* b = call.packed + (g * blocks_ + 2 * pair) * pieces() * kPairTile;
          const Pair* more = 2 * pair + 1 < blocks_ ? b + pieces() * kPairTile : nullptr;
          for (Index k = 0; k < chunks; ++k) {
            const Index begin = pieces() * k / chunks, count = pieces() * (k + 1) / chunks - begin;
            const Index from = begin * kPairTile;
            for (std::size_t i = w; i < end; ++i) {
              const PixelOperands operands{a + windows[i].at + g * s_.group_channels(),
                                           layout_.place, windows[i].count,
                                           offsets.data() + begin, count,
                                           {b + from, more == nullptr ? more : more + from},
                                           k > 0};
              multiply_by_pixel_tiles(operands, sums[i - w]);
              if (k + 1 == chunks)
                results.put(sums[i - w], windows[i], call.addend, call.y, call.pixel);
            }
          }
        }
    }
    end_pixel_tiles();
  }

  // The windows of a band, 32 at a time.
  std::vector<PixelWindows> windows_of(const PixelBand& band) const {
    std::vector<PixelWindows> found;
    if (layout_.direct) {
      const Index all = s_.images * s_.places(), end = band.place + band.places;
      for (Index p = band.place; p < end;) {
        // Tiles are whole: the last begins early, where there is nothing behind it.
        const Index left = end - p, rows = left > 16 && all >= kPixelRows ? kPixelRows : 16;
        const Index from = std::min(p, all - rows), skip = p - from;
        const Index count = std::min(rows, skip + left);
        found.push_back({(from - band.place) * layout_.pixel, rows, skip, count, from, 0, all, all});
        p = from + count;
      }
      return found;
    }
    const Index places = layout_.places(band.rows);
    for (Index n = 0; n < band.images; ++n) {
      const Index out = (band.image + n) * s_.places() + band.row * s_.out.x;
      for (Index p = 0; p < places; p += kPixelRows) {
        const Index count = std::min(kPixelRows, places - p);
        found.push_back({n * image_size(band) + p * layout_.place, count, 0, count,
                         out + p / layout_.row * s_.out.x, p % layout_.row, layout_.row, s_.out.x});
      }
    }
    return found;
  }

  ConvolutionShape s_;
  bool planes_;
  PixelLayout layout_;
  Index blocks_, pairs_;  // of 16 and of 32 outputs, of a group
  std::vector<PixelBand> bands_;
  std::map<Index, std::vector<Index>> offsets_;  // of pieces, by rows of a band
  Index sets_ = 1;
};

}  // namespace

void add_convolution_pixels(nb::module_& outer) {
  nb::module_ m = nb::cast<nb::module_>(outer.attr("bfloat16"));
  nb::class_<PixelConvolution>(m, "PixelConvolution")
      .def("__init__", &construct_convolution<PixelConvolution, bool>,
           nb::call_guard<nb::gil_scoped_release>())
      .def("packed_form", &PixelConvolution::packed_form)
      .def("packed_size", &PixelConvolution::packed_size, "Of packed weights, in words.")
      .def("pack", &PixelConvolution::pack)
      .def("forward", &PixelConvolution::forward, nb::arg("x"), nb::arg("packed"),
           nb::arg("factor").none(), nb::arg("bias").none(), nb::arg("addend").none(),
           nb::arg("y"), nb::arg("pixel"), nb::arg("rectify"));
}

#else

void add_convolution_pixels(nb::module_&) {}

#endif

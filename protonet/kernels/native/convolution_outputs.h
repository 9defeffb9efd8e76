// Direct convolution whose vectors run along outputs: for planes that do not fill vectors, and for
// weights that are packed once.
//
// The weights are the wide operand, in strips of kColumns outputs; the places of an image are the
// rows, in panels of up to kRows of any count, so that 7 x 7 places are 4 panels without padding.
// Sums are transposed when they are stored.
#pragma once

#include <algorithm>
#include <vector>

#include "convolution_way.h"
#include "gemm.h"
#include "pool.h"

class OutputLanes final : public Way, public PackedWay {
 public:
  // The weights of a convolution; or those of another one whose backward pass this one is, of single
  // places: each row has an output of this.
  enum class Rows { kOutputs, kChannels };

  explicit OutputLanes(const ConvolutionShape& s, Rows rows = Rows::kOutputs)
      : s_(s), rows_(rows), gather_(s.gather()), depth_(s.group_channels() * s.taps()),
        strips_(s.group_outputs()),
        blocks_(gather_.blocks(s.images, std::clamp<Index>(kBlock / depth_, 4 * kRows, 256))) {
    for (const Block& block : blocks_)
      if (find_kind(block) == kinds_.end()) kinds_.push_back(make_kind(block));
  }

  // Whether it is faster than lanes of places; packing the weights must be little work beside it.
  static bool pays(const ConvolutionShape& s) {
    return s.taps() == 1 && s.images * s.places() >= 256;
  }

  // The backward pass of single places at stride 1, which is such a convolution too. Measured: large
  // planes are read faster a row at a time.
  static ConvolutionShape turned(const ConvolutionShape& s) {
    return {s.images, s.outputs, s.out.y, s.out.x, s.channels, s.groups,
            {1, 1},   {1, 1},    {0, 0},  {1, 1},  {s.height, s.width}};
  }
  static bool pays_backward(const ConvolutionShape& s) {
    return s.has_single_places() && s.places() <= 1024;
  }

  // The same for weights that are packed once, which every block of places reads.
  static bool pays_packed(const ConvolutionShape& s) {
    const Index weights = s.group_outputs() * s.group_channels() * s.taps();
    return s.taps() == 1 || s.places() <= 64 || weights <= kCached;
  }

  Index packed_size() const override { return strips_.strips * kColumns * depth_; }

  void pack(const float* w, float* to) const override {
    parallel(strips_.strips, [&](Index s) {
      const Index columns = strips_.columns(s), width = strips_.width(s);
      float* strip = to + s * kColumns * depth_;
      if (rows_ == Rows::kOutputs)
        pack_transposed(w + s * kColumns * depth_, depth_, columns, depth_, strip, width);
      else
        pack_straight(w + s * kColumns, s_.group_outputs(), columns, depth_, strip, width);
    });
  }

  void run(const float* x, const float* w, float* y, const Epilogue& epilogue) const override {
    float* packed = thread_scratch(Scratch::kWeights, packed_size());
    pack(w, packed);
    run_packed(x, packed, y, epilogue);
  }

  void run_packed(const float* x, const float* packed, float* y,
                  const Epilogue& epilogue) const override {
    const Index blocks = static_cast<Index>(blocks_.size());
    const Index parts = parts_of(blocks, strips_.strips);
    parallel(blocks * parts, [&](Index task) {
      const Index part = task % parts;
      run_block(blocks_[task / parts], x, packed, strips_.strips * part / parts,
                strips_.strips * (part + 1) / parts, y, epilogue);
    });
  }

 private:
  static constexpr Index kBlock = kL2Cache / 8;  // values of the packed places of a block, about
  static constexpr Index kCached = 1 << 18;  // weights that stay in the L2 cache beside them
  static constexpr Index kRead = 1 << 12;    // values that stay in the L1 cache

  // What blocks of equal extents share: the offset of each tap in a copied block, and for each
  // panel of places of one image where its values are.
  struct Kind {
    Index rows;
    std::vector<Index> offsets;
    std::vector<std::vector<Move>> reads;
  };

  std::vector<Kind>::const_iterator find_kind(const Block& block) const {
    return std::find_if(kinds_.begin(), kinds_.end(),
                        [&](const Kind& kind) { return kind.rows == block.rows; });
  }

  Kind make_kind(const Block& block) const {
    Kind kind{block.rows, {}, {}};
    const Block one{0, 1, 0, block.rows};
    gather_.offsets(s_.group_channels(), one, kind.offsets);
    const Panels panels(gather_.count(one));
    std::vector<Segment> segments;
    for (Index p = 0; p < panels.count; ++p) {
      gather_.segments(one, s_.group_channels(), panels.first(p), panels.height(p), segments);
      moves_of(segments, kind.reads.emplace_back());
    }
    return kind;
  }

  void run_block(const Block& block, const float* x, const float* packed, Index first, Index last,
                 float* y, const Epilogue& epilogue) const {
    const Kind& kind = *find_kind(block);
    const Panels panels(block.rows * gather_.columns());
    const Index size = offset(panels, panels.count) + kLanes;
    float* places = thread_scratch(Scratch::kStrips, block.images * size);
    for (Index n = 0; n < block.images; ++n)
      pack_image({block.image + n, 1, block.row, block.rows}, kind, panels, x, places + n * size);
    alignas(64) float tile[kRows * kColumns];
    for (Index s = first; s < last; ++s) {
      const Index next = s + 1 < last ? s + 1 : first;
      const StripAhead ahead(packed + next * kColumns * depth_, strips_.width(next), depth_,
                             block.images * panels.count);
      for (Index n = 0; n < block.images; ++n) {
        float* to = y + (block.image + n) * s_.y_stride() + block.row * gather_.columns() +
                    s * kColumns * s_.places();
        for (Index p = 0; p < panels.count; ++p) {
          fetch_results(to + panels.first(p), panels.height(p), strips_.columns(s), epilogue);
          multiply_panels<true>(panels.height(p), strips_.width(s), depth_,
                                places + n * size + offset(panels, p),
                                packed + s * kColumns * depth_, tile, false,
                                ahead.part(n * panels.count + p));
          finish(tile, panels.height(p), s, to + panels.first(p), epilogue);
        }
      }
    }
  }

  // Begin to load the lines that results are written to, and those that are added to them: they
  // are planes apart, which processors do not foresee.
  void fetch_results(const float* to, Index places, Index outputs,
                     const Epilogue& epilogue) const {
    const Index end = places - 1;
    for (Index i = 0; i < outputs; ++i, to += s_.places()) {
      __builtin_prefetch(to, 1);
      __builtin_prefetch(to + end, 1);
      if (epilogue.addend == nullptr) continue;
      const float* other = epilogue.addend + (to - epilogue.results);
      __builtin_prefetch(other);
      __builtin_prefetch(other + end);
    }
  }

  // Where a panel of places begins. The space between panels keeps equal places of them from
  // falling into the same lines of the L1 cache.
  Index offset(const Panels& panels, Index panel) const {
    return panels.first(panel) * depth_ + panel * kLanes;
  }

  // The values under the taps of the places of one image, panel by panel.
  void pack_image(const Block& block, const Kind& kind, const Panels& panels, const float* x,
                  float* to) const {
    if (s_.taps() == 1 && s_.pad.y == 0 && s_.pad.x == 0) {
      const float* from =
          x + block.image * s_.x_stride() + block.row * s_.stride.y * s_.width;
      if (gather_.is_plane())
        pack_places(from, panels, to);
      else
        pack_strided(from, block.rows, panels, to);
      return;
    }
    float* copied =
        thread_scratch(Scratch::kImage, gather_.copy_size(block, s_.group_channels()));
    gather_.copy(x, s_.x_stride(), s_.group_channels(), block, copied);
    for (Index p = 0; p < panels.count; ++p)
      copy_rows(copied, kind.offsets.data(), depth_, kind.reads[p], to + offset(panels, p),
                panels.height(p));
  }

  // Adjacent places of every channel: of some channels at a time, which stay in the L1 cache for all
  // panels and are read in the order of memory. Stores past the end are overwritten by the next.
  void pack_places(const float* from, const Panels& panels, float* to) const {
    const Index some = std::max<Index>(8, kRead / s_.plane());
    for (Index first = 0; first < depth_; first += some)
      for (Index p = 0; p < panels.count; ++p) {
        const Index count = panels.height(p);
        const float* place = from + panels.first(p);
        float* panel = to + offset(panels, p);
        for (Index k = first; k < std::min(first + some, depth_); ++k)
          store(panel + k * count, load_some(place + k * s_.plane(), count));
      }
  }

  // Single places with strides, a channel at a time.
  void pack_strided(const float* from, Index rows, const Panels& panels, float* to) const {
    const Index columns = gather_.columns();
    float* line = thread_scratch(Scratch::kImage, panels.rows);
    for (Index k = 0; k < depth_; ++k, from += s_.plane()) {
      for (Index r = 0; r < rows; ++r)
        take_every(from + r * s_.stride.y * s_.width, columns, s_.stride.x, line + r * columns);
      for (Index p = 0; p < panels.count; ++p) {
        const Index height = panels.height(p);
        store_some(to + offset(panels, p) + k * height, load_some(line + panels.first(p), height),
                   height);
      }
    }
  }

  // to[i] = from[i * step] for i below `count`.
  static void take_every(const float* from, Index count, Index step, float* to) {
    Index i = 0;
    if (step == 2)  // pairs of vectors as long as both are inside the row
      for (; i + kLanes < count; i += kLanes)
        store(to + i, evens(load(from + 2 * i), load(from + 2 * i + kLanes)));
    for (; i < count; ++i) to[i] = from[i * step];
  }

  void finish(const float* tile, Index places, Index strip, float* y,
              const Epilogue& epilogue) const {
    const Index width = strips_.width(strip), first = strip * kColumns;
    for (Index v = 0; v < width; v += kLanes) {
      const Index outputs = std::min(kLanes, s_.group_outputs() - first - v);
      if (outputs <= 0) return;
      const Vec factor = epilogue.factor != nullptr
                             ? load_some(epilogue.factor + first + v, outputs)
                             : splat(1.0f);
      const Vec bias =
          epilogue.bias != nullptr ? load_some(epilogue.bias + first + v, outputs) : Vec{};
      Vec square[kLanes];
      for (Index r = 0; r < places; ++r) square[r] = load(tile + r * width + v) * factor + bias;
      for (Index r = places; r < kLanes; ++r) square[r] = Vec{};
      transpose(square);
      for (Index i = 0; i < outputs; ++i) {
        float* to = y + (v + i) * s_.places();
        store_some(to, epilogue.finish(square[i], to, places), places);
      }
    }
  }

  ConvolutionShape s_;
  Rows rows_;
  Gather gather_;
  Index depth_;
  Strips strips_;
  std::vector<Block> blocks_;
  std::vector<Kind> kinds_;
};

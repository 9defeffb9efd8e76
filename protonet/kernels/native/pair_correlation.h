// One correlation of a convolution in bfloat16: rows of weights times the windows of images.
#pragma once

#include "pairs.h"

#if defined(__AVX512F__)

#include <limits>
#include <utility>
#include <vector>

#include "epilogue.h"
#include "gather.h"
#include "pool.h"

static_assert(kPairColumns == kColumns);

// x[i] and y[i] as pairs, for up to 16 i; without y, 0 is in its place.
inline void interleave_some(const Bf16* x, const Bf16* y, Index count, Pair* to) {
  const auto lanes = static_cast<__mmask16>((1u << count) - 1);
  const auto read = [&](const Bf16* from) {
    return words_of(reinterpret_cast<Halves>(_mm256_maskz_loadu_epi16(lanes, from)));
  };
  Words pairs = read(x);
  if (y != nullptr) pairs |= read(y) << 16;
  _mm512_mask_storeu_epi32(to, lanes, reinterpret_cast<__m512i>(pairs));
}

// As `Correlation` of float32. Pairs are of adjacent channels; the last of an odd number has a
// partner of zeros.
class PairCorrelation {
 public:
  PairCorrelation(Gather gather, Index images, Index channels, Index out_height, Index out_width,
                  Index out_stride, Tap out_first, Tap out_step)
      : gather_(std::move(gather)), channels_(channels), pairs_((channels + 1) / 2),
        planes_{out_height, out_width, out_stride, out_first, out_step},
        blocks_(gather_.blocks(images, kPlaces)) {
    for (const Block& block : blocks_) kinds_.push_back(kind_of(block));
  }

  // In pairs.
  Index depth() const { return pairs_ * gather_.taps(); }
  Index taps() const { return gather_.taps(); }

  // `a` is packed; x_stride is the image stride of x.
  void run(const Pair* a, const PairPanels& panels, const Bf16* x, Index x_stride, Bf16* y,
           const Epilogue& epilogue) const {
    const Index blocks = static_cast<Index>(blocks_.size()), count = panels.count();
    // As many parts as keep all threads busy; each packs the block again.
    const Index least = panels.blocks() == 1 ? 1 : (count + kPartPanels - 1) / kPartPanels;
    const Index parts = parts_of(blocks, count, least);
    parallel(blocks * parts, [&](Index task) {
      const Index part = task % parts;
      run_block({a, &panels, count * part / parts, count * (part + 1) / parts}, task / parts, x,
                x_stride, y, epilogue);
    });
  }

 private:
  static constexpr Index kPlaces = 512;     // per task
  static constexpr Index kPartPanels = 16;  // per task, so that their sums stay in the L2 cache

  // Panels [first, last) of A.
  struct Part {
    const Pair* a;
    const PairPanels* panels;
    Index first, last;
  };

  // Adjacent places of an image, counted from the first image and place of the block.
  struct Read {
    Index column, length, image, place;
  };

  // What blocks of equal extents share.
  struct Kind {
    Index images, rows;
    std::vector<Index> offsets;  // of the taps in a copied block
    std::vector<std::vector<Read>> reads;  // by strips: of images that are read as they are
    std::vector<std::vector<Move>> moves;  // by strips: of a copied block
    std::vector<std::vector<Segment>> writes;
  };

  std::size_t kind_of(const Block& block) {
    for (std::size_t k = 0; k < known_.size(); ++k)
      if (known_[k].images == block.images && known_[k].rows == block.rows) return k;
    Kind kind{block.images, block.rows, {}, {}, {}, {}};
    gather_.offsets(pairs_, block, kind.offsets);
    const Index places = gather_.count(block), image = block.rows * gather_.columns();
    std::vector<Segment> segments;
    for (Index first = 0; first < places; first += kPairColumns) {
      const Index here = std::min(kPairColumns, places - first);
      gather_.segments(block, pairs_, first, here, segments);
      moves_of(segments, kind.moves.emplace_back());
      auto& reads = kind.reads.emplace_back();
      for (const Segment& segment : segments)
        reads.push_back({segment.column, segment.length, segment.at / (pairs_ * image),
                         segment.at % image});
      planes_.segments(gather_, block, first, here, kind.writes.emplace_back());
    }
    known_.push_back(std::move(kind));
    return known_.size() - 1;
  }

  void run_block(const Part& part, Index number, const Bf16* x, Index x_stride, Bf16* y,
                 const Epilogue& epilogue) const {
    const Block& block = blocks_[number];
    const Kind& kind = known_[kinds_[number]];
    const PairPanels& panels = *part.panels;
    const Index height = part.last - part.first, strips = static_cast<Index>(kind.reads.size());
    const Index blocks = panels.blocks();
    const Pair* copied = copy(x, x_stride, block);
    const Index most = std::min(panels.steps, PairPanels::kBlock) * kPairStep * kPairColumns;
    Pair* packed = words(Scratch::kStrips, strips * most);
    float* sums = thread_scratch(Scratch::kTiles,
                                 (blocks == 1 ? 1 : strips * height) * kPairSums);
    y += planes_.start(block);
    const PairUnit unit;
    for (Index k = 0; k < blocks; ++k) {
      const Index depth = panels.length(k) * kPairStep;
      pack(kind, block, x, x_stride, copied, panels.begin(k) * kPairStep, depth, packed);
      // A panel of A stays in the L1 cache, and rows of the result are written one after another.
      for (Index p = part.first; p < part.last; ++p)
        for (Index s = 0; s < strips; ++s) {
          float* tile = blocks == 1 ? sums : sums + ((p - part.first) * strips + s) * kPairSums;
          const bool wide = gather_.count(block) - s * kPairColumns > kPairSide;
          unit.multiply(panels.product(part.a, k, p, packed + s * depth * kPairColumns, wide,
                                       tile));
          if (k + 1 == blocks)
            finish(tile, p * kPairRows, panels.height(p), kind.writes[s], y, epilogue);
        }
    }
  }

  static Pair* words(Scratch which, Index count) {
    return reinterpret_cast<Pair*>(thread_scratch(which, static_cast<std::size_t>(count)));
  }

  // The block with its padding as planes of pairs; an image that is read as it is needs no copy.
  const Pair* copy(const Bf16* x, Index x_stride, const Block& block) const {
    if (gather_.is_plane()) return nullptr;
    Pair* copied = words(Scratch::kImage, gather_.copy_size(block, pairs_));
    const Index width = gather_.width(), plane = gather_.height() * width;
    Pair* line = words(Scratch::kPlane, width + kPairSide);
    gather_.copy_rows_from(
        [&](Index n, Index pair, Index r) {
          const Bf16* row = x + n * x_stride + 2 * pair * plane + r * width;
          const Bf16* other = 2 * pair + 1 < channels_ ? row + plane : nullptr;
          for (Index i = 0; i < width; i += kPairSide)
            interleave_some(row + i, other == nullptr ? nullptr : other + i,
                            std::min(kPairSide, width - i), line + i);
          return reinterpret_cast<const float*>(line);
        },
        pairs_, block, reinterpret_cast<float*>(copied));
    return copied;
  }

  // Pairs [k, k + depth) of all strips, one strip after the other; after the last ones, zeros.
  void pack(const Kind& kind, const Block& block, const Bf16* x, Index x_stride,
            const Pair* copied, Index k, Index depth, Pair* to) const {
    const Index here = std::min(depth, this->depth() - k), size = depth * kPairColumns;
    const Index strips = static_cast<Index>(kind.reads.size());
    if (copied == nullptr) {
      const Bf16* from = x + block.image * x_stride + block.row * gather_.columns();
      for (Index i = 0; i < here; ++i)
        for (Index s = 0; s < strips; ++s)
          interleave(kind.reads[s], from, x_stride, k + i, to + s * size + i * kPairColumns);
    } else {
      for (Index s = 0; s < strips; ++s)
        copy_rows(reinterpret_cast<const float*>(copied), kind.offsets.data() + k, here,
                  kind.moves[s], reinterpret_cast<float*>(to + s * size), kPairColumns);
    }
    for (Index s = 0; s < strips; ++s)
      std::fill(to + s * size + here * kPairColumns, to + (s + 1) * size, Pair{0});
  }

  // Pair k of a strip of an image that is read as it is.
  void interleave(const std::vector<Read>& reads, const Bf16* x, Index x_stride, Index k,
                  Pair* to) const {
    const Index plane = gather_.places();
    for (const Read& read : reads) {
      const Bf16* row = x + read.image * x_stride + read.place + 2 * k * plane;
      const Bf16* other = 2 * k + 1 < channels_ ? row + plane : nullptr;
      for (Index c = 0; c < read.length; c += kPairSide)
        interleave_some(row + c, other == nullptr ? nullptr : other + c,
                        std::min(kPairSide, read.length - c), to + read.column + c);
    }
  }

  WITH_BF16 void finish(const float* sums, Index first, Index rows,
                        const std::vector<Segment>& segments, Bf16* y,
                        const Epilogue& epilogue) const {
    const Vec least = splat(epilogue.rectify ? 0.0f : -std::numeric_limits<float>::infinity());
    for (Index r = 0; r < rows; ++r, sums += kPairColumns) {
      const Index row = first + r;
      const Vec factor = splat(epilogue.factor != nullptr ? epilogue.factor[row] : 1.0f);
      const Vec bias = splat(epilogue.bias != nullptr ? epilogue.bias[row] : 0.0f);
      for (const Segment& segment : segments) {
        Bf16* to = y + segment.at + row * planes_.size();
        const float* from = sums + segment.column;
        const auto value = [&](Index i) {
          const Vec total = load(from + i) * factor + bias;
          // Written this way so that NaN propagates.
          return reinterpret_cast<__m512>(total < least ? least : total);
        };
        if (segment.length == kPairColumns && planes_.step.x == 1) {
          const auto all = _mm512_cvtne2ps_pbh(value(kPairSide), value(0));
          _mm512_storeu_si512(to, (__m512i)all);
          continue;
        }
        for (Index i = 0; i < segment.length; i += kPairSide) {
          const Index here = std::min(kPairSide, segment.length - i);
          put(to, i, (__m256i)_mm512_cvtneps_pbh(value(i)), here);
        }
      }
    }
  }

  // Values i to i + count of a segment.
  void put(Bf16* to, Index i, __m256i values, Index count) const {
    const auto lanes = static_cast<__mmask16>((1u << count) - 1);
    if (planes_.step.x == 1) {
      _mm256_mask_storeu_epi16(to + i, lanes, values);
    } else if (planes_.step.x == 2) {
      const auto evens = static_cast<__mmask32>(0x55555555u) &
                         static_cast<__mmask32>((std::uint64_t{1} << (2 * count)) - 1);
      _mm512_mask_storeu_epi16(to + 2 * i, evens,
                               reinterpret_cast<__m512i>(words_of(reinterpret_cast<Halves>(values))));
    } else {
      alignas(32) Bf16 each[kPairSide];
      _mm256_store_si256(reinterpret_cast<__m256i*>(each), values);
      for (Index j = 0; j < count; ++j) to[(i + j) * planes_.step.x] = each[j];
    }
  }

  Gather gather_;
  Index channels_, pairs_;
  ResultPlanes planes_;
  std::vector<Block> blocks_;
  std::vector<std::size_t> kinds_;  // for each block
  std::vector<Kind> known_;
};

#endif

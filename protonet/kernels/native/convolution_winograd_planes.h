// Winograd convolution of a few planes into pixels, as in the first layer of a net.
//
// Of few channels, the products of a place are soon summed: writing and reading them for all places
// would take longer. So the places of some tiles are summed row by row, and transformed back from
// registers. Vectors run along tiles where values are transformed, and along outputs after that.
#pragma once

#include <vector>

#include "convolution_winograd.h"
#include "pixel_panels.h"

#if defined(__AVX2__)

// A loaded vector that several sums use: compilers would load it for each of them.
inline Vec in_register(Vec v) {
  asm("" : "+v"(v));
  return v;
}

template <class F>
class WinogradPlanes final : public PixelWayOf<float> {
 public:
  explicit WinogradPlanes(const ConvolutionShape& s)
      : s_(s), weights_(weights_of(s)),
        gather_(s.height, s.width, (s.out.y + kOut - 1) / kOut, (s.out.x + kOut - 1) / kOut,
                {kOut, kOut}, taps(s.pad)),
        strips_(s.group_outputs()) {
    const Index wanted = s.images * gather_.places() / (4 * threads());
    blocks_ = gather_.blocks(s.images, std::clamp<Index>(wanted, kLeastTiles, kMostTiles));
    gather_.offsets(1, blocks_[0], offsets_);
  }

  // Whether it is estimated to be faster than direct sums: in cycles for a tile.
  static bool pays(const ConvolutionShape& s) {
    const Index channels = s.group_channels(), taps = s.taps();
    if (channels > kMostChannels || !s.has_squares(kKernel)) return false;
    const Index vectors = (s.group_outputs() + kLanes - 1) / kLanes;
    const Index sums = vectors * (kPlaces * channels + kGathering * (kIn + kOut));
    return sums + kSpreading * channels < vectors * kOut * kOut * taps * channels;
  }

  Index packed_size() const override { return strips_.strips * strip_size(); }

  // to[strip][row of places][channel][column of places][output]
  void pack(const float* w, float* to) const override {
    const Index channels = s_.group_channels(), step = weights_.weights_step();
    float* const spread = thread_scratch(Scratch::kWeights, weights_.packed_size());
    weights_.pack(w, spread);
    for (Index s = 0; s < strips_.strips; ++s)
      for (Index i = 0; i < kIn; ++i)
        for (Index c = 0; c < channels; ++c)
          for (Index j = 0; j < kIn; ++j, to += kColumns)
            std::copy_n(spread + (i * kIn + j) * step + (s * channels + c) * kColumns, kColumns, to);
  }

  void run_packed(const float* x, const float* packed, float* y,
                  const Epilogue& epilogue) const override {
    parallel(static_cast<Index>(blocks_.size()),
             [&](Index b) { run_block(blocks_[b], x, packed, y, epilogue); });
  }

  void run_rows(const float* x, Index first, Index count, const float* packed, float* y,
                const Epilogue& epilogue) const override {
    run_block({0, 1, first / kOut, (count + kOut - 1) / kOut}, x, packed,
              y - first * s_.out.x * epilogue.pixel, epilogue);
  }
  Index row_step() const override { return kOut; }

 private:
  static constexpr Index kOut = F::kOut, kKernel = F::kKernel;
  static constexpr Index kIn = winograd::kIn, kPlaces = winograd::kPlaces;
  static constexpr Index kMostChannels = 4;
  static constexpr Index kLeastTiles = 32, kMostTiles = 256;  // of a block
  // Tiles, whose sums of a row of places are in registers.
  static constexpr Index kTogether = kLanes == 16 ? 2 : 1;
  // Cycles to transform a row of sums, and the values of a channel; measured.
  static constexpr Index kGathering = 12, kSpreading = 25;

  static Winograd<F> weights_of(const ConvolutionShape& s) {
    constexpr Index size = kKernel * kKernel;
    const Index channels = s.group_channels();
    return {s.images,
            {channels, s.height, s.width, s.x_stride()},
            {s.group_outputs(), s.out.y, s.out.x, s.y_stride(), s.outputs},
            s.pad,
            {size * channels, size, false}};
  }

  static std::vector<Tap> taps(Tap pad) {
    std::vector<Tap> found;
    for (Index k = 0; k < kPlaces; ++k) found.push_back({k / kIn - pad.y, k % kIn - pad.x});
    return found;
  }

  Index strip_size() const { return kPlaces * s_.group_channels() * kColumns; }

  void run_block(const Block& block, const float* x, const float* packed, float* y,
                 const Epilogue& epilogue) const {
    const Index channels = s_.group_channels(), image = gather_.channel_size(block);
    float* const copied = thread_scratch(Scratch::kImage, gather_.copy_size(block, channels));
    gather_.copy(x, s_.x_stride(), channels, block, copied);
    for (Index n = 0; n < block.images; ++n)
      for (Index r = 0; r < block.rows; ++r) {
        const float* from = copied + n * channels * image + r * kOut * gather_.row_size();
        const Index top = (block.row + r) * kOut;
        float* to = y + ((block.image + n) * s_.out.y + top) * s_.out.x * epilogue.pixel;
        for (Index t = 0; t < gather_.columns(); t += kLanes)
          run_tiles(from + t, image, packed, {top, t * kOut}, to + t * kOut * epilogue.pixel,
                    epilogue);
      }
    if (epilogue.streams) end_streams();
  }

  // Up to kLanes tiles of a row; channels of their values are `next` floats apart.
  void run_tiles(const float* from, Index next, const float* packed, Tap first, float* y,
                 const Epilogue& epilogue) const {
    const Index channels = s_.group_channels();
    float* const values = thread_scratch(Scratch::kStrips, kPlaces * channels * kLanes);
    for (Index c = 0; c < channels; ++c, from += next) spread(from, c, values);
    for (Index s = 0; s < strips_.strips; ++s, packed += strip_size(), y += kColumns) {
      const Index width = strips_.width(s);
      const PixelPanel<float> results(epilogue, s * kColumns, strips_.columns(s));
      if (width < kColumns) run_strip<1, false>(values, packed, results, first, y, epilogue.pixel);
      else if (results.is_plain(width))
        run_strip<kVectors, true>(values, packed, results, first, y, epilogue.pixel);
      else run_strip<kVectors, false>(values, packed, results, first, y, epilogue.pixel);
    }
  }

  // to[row of places][channel][column of places][tile]
  void spread(const float* from, Index channel, float* to) const {
    Vec values[kPlaces], spread[kPlaces];
    for (Index k = 0; k < kPlaces; ++k) values[k] = load(from + offsets_[k]);
    winograd::transform<winograd::spread_values, kIn, kIn>(values, kIn, spread);
    for (Index i = 0; i < kIn; ++i, to += s_.group_channels() * kIn * kLanes)
      for (Index j = 0; j < kIn; ++j)
        store(to + (channel * kIn + j) * kLanes, spread[i * kIn + j]);
  }

  // V vectors of outputs of some tiles, whose results begin at `first` of the image.
  template <Index V, bool kPlain>
  void run_strip(const float* values, const float* w, const PixelPanel<float>& results, Tap first,
                 float* y, Index pixel) const {
    const Index tiles = std::min(kLanes, (s_.out.x - first.x + kOut - 1) / kOut);
    for (Index t = 0; t < tiles;) {
      const Index here = std::min(kTogether, tiles - t);
      if (here == kTogether)
        run_some<kTogether, V, kPlain>(values + t, w, results, first, y, pixel);
      else run_some<1, V, kPlain>(values + t, w, results, first, y, pixel);
      t += here;
      y += here * kOut * pixel;
      first.x += here * kOut;
    }
  }

  template <Index T, Index V, bool kPlain>
  void run_some(const float* values, const float* w, const PixelPanel<float>& results, Tap first,
                float* y, Index pixel) const {
    const Index channels = s_.group_channels();
    Vec half[T][V][kIn * kOut];  // a row of places after the other
    for (Index i = 0; i < kIn; ++i) {
      Vec sums[kIn][T][V] = {};
      for (Index c = 0; c < channels; ++c, values += kIn * kLanes, w += kIn * kColumns)
#pragma GCC unroll 6
        for (Index j = 0; j < kIn; ++j) {
          Vec columns[V];
#pragma GCC unroll 2
          for (Index v = 0; v < V; ++v)
            columns[v] = in_register(reinterpret_cast<const Vec*>(w + j * kColumns)[v]);
#pragma GCC unroll 2
          for (Index t = 0; t < T; ++t) {
            const Vec factor = splat(values[j * kLanes + t]);
#pragma GCC unroll 2
            for (Index v = 0; v < V; ++v) sums[j][t][v] += factor * columns[v];
          }
        }
#pragma GCC unroll 2
      for (Index t = 0; t < T; ++t)
#pragma GCC unroll 2
        for (Index v = 0; v < V; ++v)
          F::gather_results(&sums[0][t][v], T * V, half[t][v] + i * kOut, 1);
    }
    const Index rows = std::min(kOut, s_.out.y - first.y);
    for (Index t = 0; t < T; ++t, y += kOut * pixel, first.x += kOut) {
      Vec out[kOut][kOut][V];
#pragma GCC unroll 4
      for (Index j = 0; j < kOut; ++j)
#pragma GCC unroll 2
        for (Index v = 0; v < V; ++v)
          F::gather_results(half[t][v] + j, kOut, &out[0][j][v], kOut * V);
      put<V, kPlain>(out, rows, std::min(kOut, s_.out.x - first.x), results, y, pixel);
    }
  }

  template <Index V, bool kPlain>
  void put(const Vec (&out)[kOut][kOut][V], Index rows, Index columns, const PixelPanel<float>& results,
           float* y, Index pixel) const {
    for (Index i = 0; i < rows; ++i, y += s_.out.x * pixel) {
      if (columns == kOut) {
        results.put<kOut, V, kPlain>(out[i], y);
        continue;
      }
      for (Index j = 0; j < columns; ++j)
        results.put<1, V, kPlain>(reinterpret_cast<const Vec(&)[1][V]>(out[i][j]), y + j * pixel);
    }
  }

  ConvolutionShape s_;
  Winograd<F> weights_;  // how they are transformed
  Gather gather_;        // a grid of tiles
  Strips strips_;
  std::vector<Block> blocks_;
  std::vector<Index> offsets_;  // of the values of a tile, by place
};

#endif

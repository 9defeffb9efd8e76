// Winograd convolution for kernels of 3 x 3 or 5 x 5 and stride 1.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "convolution_way.h"
#include "pool.h"
#include "winograd.h"

// `count` planes of height x width, with image stride `stride`; or pixels of as many channels, so
// many values apart, where `pixel` is not 0.
struct PlaneSet {
  Index count, height, width, stride, pixel = 0;

  // Where a channel of a pixel is.
  Index at(Index channel, Index y, Index x) const { return (y * width + x) * pixel + channel; }
};

// Of a gradient: values of tiles that overlap are read, or values of tiles are added where these
// overlap. Where windows do not leave the image, the gradient of its values has more tiles of its
// own than the results have. Scattered, by the transposed transforms, it takes as many as these: x
// is the gradient of the results then, in tiles of kOut x kOut, and y that of the values, to kIn x
// kIn of which each tile adds; kernels are those of the pass forward.
enum class Tiles { kGathered, kScattered };

// y[n][m] = sum over c of w[m][c] correlated with x[n][c], zero-padded.
//
// Uses the transforms F (of winograd.h), with `pad` zeros around x.
//
// One thread processes a block of tiles (of kOut x kOut results each). Channels become lanes, and
// place k of all transformed tiles forms a matrix that is multiplied by the transformed weights of
// place k:
//   values  V[k][channel group][tile][lane]     weights U[k][strip][channel][column]
//   results R[k][tile][strip, column]
template <class F>
class Winograd final : public Way, public PackedWay, public LearnWay {
 public:
  // The layout of kernel (m, c): at w[m * row + c * column], rotated by 180 degrees or not.
  struct Weights {
    Index row, column;
    bool turned;
  };

  Winograd(Index images, PlaneSet x, PlaneSet y, Tap pad, Weights weights,
           Tiles kind = Tiles::kGathered)
      : images_(images), x_(x), y_(y), pad_(pad), weights_(weights),
        scatters_(kind == Tiles::kScattered),
        tile_rows_(tiles_along(tiled(x, y, kind).height)),
        tile_columns_(tiles_along(tiled(x, y, kind).width)),
        groups_((x.count + kLanes - 1) / kLanes), strips_((y.count + kColumns - 1) / kColumns),
        grid_(tile_rows_, tile_columns_, tile_rows_, tile_columns_, {1, 1}, {{0, 0}}),
        blocks_(grid_.blocks(images, wanted_tiles())),
        learn_blocks_(grid_.blocks(images, learn_tiles())) {
    if (goes_by_strips(images, x, y, kind)) strip_blocks_ = grid_.blocks(images, kStripTiles);
    for (const Block& block : learn_blocks_) most_ = std::max(most_, tiles(block));
    pieces_ = small_sums() ? std::min<Index>(kPieces, learn_blocks_.size()) : 1;
  }

  // An estimate in cycles of a vector unit.
  static double cycles(Index images, PlaneSet x, PlaneSet y, Tiles kind = Tiles::kGathered) {
    constexpr Index taps = F::kKernel * F::kKernel;
    const double pairs = static_cast<double>(x.count) * y.count;
    // Transformed weights that do not fit into the L2 cache are written to memory and read back.
    const double travel = goes_by_strips(images, x, y, kind)     ? 15
                          : pairs * 36 * sizeof(float) > 1 << 20 ? 90
                                                                 : 0;
    return packed_cycles(images, x, y, kind) + (24.0 / kLanes * taps + travel) * pairs;
  }

  // The same for weights that are transformed already.
  static double packed_cycles(Index images, PlaneSet x, PlaneSet y, Tiles kind = Tiles::kGathered) {
    const Index of_image = tiles_of(tiled(x, y, kind));
    if (x.count < 16 || y.count < 16 || (kind == Tiles::kScattered && of_image > kMostScattered))
      return std::numeric_limits<double>::infinity();
    const double tiles = static_cast<double>(images) * of_image;
    const double pairs = static_cast<double>(x.count) * y.count;
    return 36 * tiles * pairs / (1.08 * kProducts) + 240.0 / kLanes * tiles * (x.count + y.count);
  }

  void run(const float* x, const float* w, float* y, const Epilogue& epilogue) const override;
  Index packed_size() const override { return winograd::kPlaces * weights_step(); }
  void pack(const float* w, float* to) const override { transform_weights(w, to); }
  void run_packed(const float* x, const float* packed, float* y,
                  const Epilogue& epilogue) const override {
    run_values(x, packed, y, epilogue);
  }
  // Of values of any type, which are pixels if they are not of float32; sums are of float32.
  template <class T>
  void run_values(const T* x, const float* packed, T* y, const EpilogueOf<T>& epilogue) const;
  // The same for some rows, see PixelWayOf.
  template <class T>
  void run_rows(const T* x, Index first, Index count, const float* packed, T* y,
                const EpilogueOf<T>& epilogue) const;
  void learn(const float* x, const float* dy, float* dw) const override;

  // From place to place of transformed weights, see values_step().
  Index weights_step() const { return strips_ * x_.count * kColumns + kLanes; }

 private:
  static constexpr Index kTiles = 28;  // per block at least: two panels
  static constexpr Index kBandTiles = kLanes == 16 ? 64 : 16;  // of run_rows, at a time
  // Tiles of an image that is scattered to at most: its gradient stays in the L1 cache.
  static constexpr Index kMostScattered = 64;
  static constexpr Index kStripTiles = 128;  // per block of run_strips; at most two blocks
  static constexpr Index kPieces = 8;
  // Channels of a strip whose transformed weights, or sums of them, stay in the L2 cache. From place
  // to place of these, as weights_step():
  static constexpr Index kPart = 64;
  static constexpr Index kPartStep = kPart * kColumns + kLanes;
  static constexpr Index kAhead = 8;  // channels, whose kernels are loaded meanwhile
  static constexpr Index kPartSize = winograd::kPlaces * kPartStep;
  static constexpr Index kOut = F::kOut, kKernel = F::kKernel, kTaps = kKernel * kKernel;
  static constexpr Index kHalf = kLanes / 2 < kRows ? kLanes / 2 : kRows;

  static Index tiles_along(Index side) { return (side + kOut - 1) / kOut; }
  // Tiles per block. Where transformed weights are read from memory for each, it is as large as one
  // place of values and results fits into the L2 cache; one that is scattered is of whole images.
  Index wanted_tiles() const {
    if (scatters_) return std::max(kTiles, grid_.places() + 1);
    const bool many = x_.count * y_.count > 1 << 16;
    return many ? std::max<Index>(kTiles, (1 << 16) / (x_.count + y_.count)) : kTiles;
  }
  // Groups of channels whose products are summed in registers: two levels of sums lose the fewest
  // digits where both are about as long. Parts of channels begin with a chunk.
  Index chunk() const {
    const Index channels = x_.count <= 24 ? 24 : x_.count < 512 ? 16 : 32;
    return (channels + kLanes - 1) / kLanes;
  }
  // The planes of which tiles of kOut x kOut are taken.
  static PlaneSet tiled(PlaneSet x, PlaneSet y, Tiles kind) {
    return kind == Tiles::kGathered ? y : x;
  }
  static Index tiles_of(PlaneSet y) { return tiles_along(y.height) * tiles_along(y.width); }
  // Whether weights are transformed a part at a time: they are many, and used for few tiles.
  static bool goes_by_strips(Index images, PlaneSet x, PlaneSet y, Tiles kind) {
    return winograd::kPlaces * x.count * y.count > 1 << 17 &&
           images * tiles_of(tiled(x, y, kind)) <= 2 * kStripTiles;
  }
  Index tiles(const Block& block) const { return block.images * block.rows * tile_columns_; }
  // The stride from place k to place k + 1 of transformed values, results or gradients (of `tiles`
  // tiles). It must not be a multiple of the stride that maps to one cache set, since
  // all places of a tile are accessed in turn.
  Index values_step(Index count) const { return groups_ * count * kLanes + kLanes; }
  Index results_step(Index count) const { return count * strips_ * kColumns + kLanes; }
  Index y_groups() const { return strips_ * kColumns / kLanes; }
  // Parts are of a strip, and of its channels.
  Index parts() const { return strips_ * ((x_.count + kPart - 1) / kPart); }
  Index first_of(Index part) const { return part / strips_ * kPart; }
  Index last_of(Index part) const { return std::min(x_.count, first_of(part) + kPart); }
  Index sums_size() const { return parts() * kPartSize; }
  // Whether the accumulators of a gradient leave room in the L2 cache.
  bool small_sums() const {
    return winograd::kPlaces * groups_ * kLanes * strips_ * kColumns <= 1 << 18;
  }
  // Tiles per block of the gradient: small accumulators share the cache with the transformed data;
  // large ones should be read and written rarely.
  Index learn_tiles() const {
    const Index channels = x_.count + y_.count;
    return small_sums() ? std::clamp<Index>((1 << 18) / (winograd::kPlaces * channels), 32, 512)
                        : std::clamp<Index>((5 << 19) / (winograd::kPlaces * channels), 32, 512);
  }

  template <class T, class Each>
  void run_block(const T* x, const float* weights, T* y, const Block& block,
                 const EpilogueOf<T>& epilogue, Each&& each) const;
  void run_strips(const float* x, const float* w, float* y, const Block& block,
                  const Epilogue& epilogue) const;
  void run_strip(const float* values, Index step, Index next, const float* w, Index strip, float* y,
                 const Block& block, const Epilogue& epilogue) const;
  void transform_weights(const float* w, float* to) const;
  void transform_some(const float* w, Index strip, Index first, Index last, float* to,
                      Index step) const;
  void transform_values(const float* x, const Block& block, Index group, float* to) const;
  template <class T>
  void transform_pixels(const T* x, const Block& block, Index row, float* to) const;
  // From tile to tile of what is written, and from place to place of a tile.
  struct Steps {
    Index tile, place;
  };
  void transform_gradient(const float* dy, PlaneSet planes, const Block& block, Index group,
                          Steps steps, float* to) const;
  void transform_columns(const float* dy, const Block& block, Index group, float* to) const;
  void finish(const float* results, Steps steps, const Block& block, Index group, float* y,
              const Epilogue& epilogue) const;
  void finish_scattered(const float* results, Steps steps, const Block& block, Index group,
                        float* y) const;
  template <class T>
  void finish_pixels(const float* results, const Block& block, Index row, T* y,
                     const EpilogueOf<T>& epilogue) const;
  void multiply_block(const float* values, const float* gradients, Index count, Index strip,
                      Index first, Index last, float* sums, bool go_on) const;
  void learn_pieces(const float* x, const float* dy, float* dw) const;
  void learn_together(const float* x, const float* dy, float* dw) const;
  void learn_weights(const float* sums, Index part, float* dw) const;

  Index images_;
  PlaneSet x_, y_;
  Tap pad_;
  Weights weights_;
  bool scatters_;
  Index tile_rows_, tile_columns_, groups_, strips_;
  Gather grid_;
  std::vector<Block> blocks_, learn_blocks_;
  std::vector<Block> strip_blocks_;  // of run_strips; none where it would be slower
  Index most_ = 0;    // most tiles of any of learn_blocks_
  Index pieces_ = 1;  // pieces of learn_blocks_, each with its own accumulators
};

extern template class Winograd<winograd::F43>;
extern template class Winograd<winograd::F25>;

// Products of matrices of bfloat16, summed in float32, on processors with AMX or AVX512_BF16.
//
// The unit is a pair: two values with adjacent k, in one word. A step is 16 pairs of k. A tile of A
// is 16 rows of a step, one after another; a panel of B has, for each pair of k, kPairColumns
// columns.
#pragma once

#if defined(__AVX512F__)

#include <algorithm>

#include "bfloat16.h"
#include "features.h"

using Pair = std::uint32_t;

constexpr Index kPairStep = 16;
constexpr Index kPairSide = 16;                // rows and columns of a tile
constexpr Index kPairTile = kPairStep * kPairSide;  // pairs of a tile
constexpr Index kPairRows = 2 * kPairSide, kPairColumns = 2 * kPairSide;
constexpr Index kPairSums = kPairRows * kPairColumns;

// One product: up to 32 rows of A by 32 columns of B, over some steps.
struct PairProduct {
  const Pair* a;
  Index row, tile, step;  // of A, in pairs: from row to row, from the first 16 rows to the others,
                          // and from step to step
  const Pair* b;          // kPairColumns pairs for each pair of k
  Index steps;
  bool tall, wide;        // more than 16 rows, more than 16 columns
  float* sums;            // kPairRows x kPairColumns
  bool go_on;             // adds to the sums
};

// Holds the tiles of the calling thread while products are computed.
class PairUnit {
 public:
  PairUnit();
  ~PairUnit();
  PairUnit(const PairUnit&) = delete;
  void multiply(const PairProduct& product) const { multiply_(product); }

 private:
  void (*multiply_)(const PairProduct&);
};

// Rows divided into panels of kPairRows; packed, k is divided into blocks, whose panels follow each
// other.
struct PairPanels {
  Index rows, steps;

  PairPanels(Index rows, Index depth)
      : rows(rows), steps((depth + kPairStep - 1) / kPairStep) {}
  Index count() const { return (rows + kPairRows - 1) / kPairRows; }
  Index tiles() const { return (rows + kPairSide - 1) / kPairSide; }
  Index height(Index panel) const { return std::min(kPairRows, rows - panel * kPairRows); }
  bool tall(Index panel) const { return height(panel) > kPairSide; }
  Index size() const { return tiles() * steps * kPairTile; }

  static constexpr Index kBlock = 16;  // steps, so that a block of a panel of B is in the L1 cache
  Index blocks() const { return (steps + kBlock - 1) / kBlock; }
  Index begin(Index block) const { return steps * block / blocks(); }
  Index length(Index block) const { return begin(block + 1) - begin(block); }

  // Of a packed panel, from `begin(block)` on: where it is, and how far its steps are apart.
  Index offset(Index block, Index panel) const {
    return (begin(block) * tiles() + panel * 2 * length(block)) * kPairTile;
  }
  Index step(Index panel) const { return (tall(panel) ? 2 : 1) * kPairTile; }

  // Packs a row of A from `pairs`, which has whole steps.
  void put_row(Index row, const Pair* pairs, Pair* packed) const {
    const Index panel = row / kPairRows, inside = row % kPairRows;
    for (Index block = 0; block < blocks(); ++block) {
      Pair* to = packed + offset(block, panel) + inside * kPairStep;
      for (Index s = begin(block); s < begin(block + 1); ++s, to += step(panel))
        std::memcpy(to, pairs + s * kPairStep, kPairStep * sizeof(Pair));
    }
  }

  // The product of a block of a packed panel.
  PairProduct product(const Pair* packed, Index block, Index panel, const Pair* b, bool wide,
                      float* sums) const {
    return {packed + offset(block, panel), kPairStep, kPairTile, step(panel), b,
            length(block), tall(panel), wide, sums, block > 0};
  }
};

#endif

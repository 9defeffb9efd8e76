// Images of bfloat16 as pixels: the channels of a place adjacent. What lies under a row of taps is
// then adjacent, too, and the next window a fixed distance behind: a tile of windows is loaded from
// the image itself, and nothing is unrolled.
#pragma once

#include <algorithm>
#include <vector>

#include "convolution_way.h"
#include "pairs.h"

#if defined(__AVX512F__)

// How windows read images, that is blobs (`direct`) or copies with their padding.
//
// Rows of a copy whose numbers are equal modulo the stride make a plane, so that the next row of
// windows is one row behind in each. Windows are counted over whole rows: some begin in the padding
// at the end of a row, and are dropped when results are stored.
struct PixelLayout {
  // 64 bytes under a window, and the first of the weights that they meet: `skip` of these values
  // were met before.
  struct Piece {
    Index offset, first, skip, count;
  };
  static constexpr Index kPiece = 32;  // values

  PixelLayout(const ConvolutionShape& s, bool planes)
      : s(s), pixel(planes ? (s.channels + 1) / 2 * 2 : s.channels),
        single(s.taps() == 1 && s.pad.y == 0 && s.pad.x == 0) {
    const bool dense = s.stride.y == 1 && s.stride.x == 1 && s.out.y == s.height &&
                       s.out.x == s.width;
    direct = single && dense && !planes && s.groups == 1 && s.channels >= kPiece &&
             s.images * s.places() >= kPairSide;
    step = single ? Tap{1, 1} : s.stride;
    width = single ? s.out.x : (s.width + 2 * s.pad.x + step.x - 1) / step.x * step.x;
    place = step.x * pixel;
    row = width / step.x;
    find_pieces();
  }

  // Rows of a copy for `rows` rows of windows, by phase; and its size.
  Index phase_rows(Index rows) const {
    return rows + (s.kernel.y - 1) * s.dilation.y / step.y;
  }
  Index phases() const { return std::min(step.y, (s.kernel.y - 1) * s.dilation.y + 1); }
  Index copy_size(Index rows) const { return phases() * phase_rows(rows) * width * pixel; }
  Index places(Index rows) const { return (rows - 1) * row + s.out.x; }

  // From the first value of a window to that of each piece, for a copy of `rows` rows of windows.
  std::vector<Index> offsets(Index rows) const {
    std::vector<Index> found;
    for (const Piece& piece : pieces) {
      const Index y = runs[piece.first].y * s.dilation.y;
      found.push_back((y % step.y * phase_rows(rows) + y / step.y) * width * pixel +
                      runs[piece.first].x * s.dilation.x * pixel + piece.offset);
    }
    return found;
  }

  // The weight of value `i` of a piece: a channel and a tap; a negative channel for none.
  struct Met {
    Index channel, tap;
  };
  Met met(const Piece& piece, Index i) const {
    const Index channels = s.group_channels();
    if (i < piece.skip || i >= piece.count) return {-1, 0};
    const Index at = piece.offset + i, channel = merges ? at % pixel : at;
    if (channel >= channels) return {-1, 0};
    const Tap tap = runs[piece.first];
    return {channel, tap.y * s.kernel.x + tap.x + (merges ? at / pixel : 0)};
  }

  ConvolutionShape s;
  Index pixel;  // values of one
  bool single, direct;
  bool merges = false;  // whether the taps of a row are one run
  Tap step{1, 1};
  Index width = 0, place = 0, row = 0;  // of a copy: pixels of a row, values from window to window,
                                        // windows of a row
  std::vector<Tap> runs;
  std::vector<Piece> pieces;

 private:
  // A run is a multiple of 64 bytes, or its last piece begins early, or reaches behind it where
  // weights are 0.
  void find_pieces() {
    merges = s.groups == 1 && s.dilation.x == 1;
    const Index size = merges ? s.kernel.x * pixel : s.group_channels();
    for (Index y = 0; y < s.kernel.y; ++y)
      for (Index x = 0; x < (merges ? 1 : s.kernel.x); ++x) {
        const Index run = static_cast<Index>(runs.size());
        runs.push_back({y, x});
        for (Index done = 0; done < size; done += kPiece) {
          const Index at = size < kPiece ? 0 : std::min(done, size - kPiece);
          pieces.push_back({at, run, done - at, std::min(kPiece, size - at)});
        }
      }
  }
};

#endif

// Images of bytes as integer convolutions read them: channels of a pixel adjacent, with their
// padding, so that the values under a row of taps are adjacent, and those of the next window a
// fixed distance behind.
#pragma once

#include <cstdint>
#include <vector>

#include "convolution_way.h"

using Byte = std::uint8_t;

inline Index round_up(Index n, Index to) { return (n + to - 1) / to * to; }

// Bytes of a pixel: quadruples of channels, as instructions multiply them.
inline Index pixel_bytes(Index channels) { return round_up(channels, 4); }

// Rows of an image whose numbers are equal modulo the stride make a plane, so that the next row of
// windows is one row behind in every plane. Where windows must be at equal distances, they are
// counted over whole rows: some begin in the padding at the end of a row, and are dropped when
// results are stored.
struct Int8Layout {
  // Values that are adjacent under taps, as one or more pieces of 64 bytes; `tap` is the first.
  struct Run {
    Index offset, bytes;
    Tap tap;
  };
  struct Piece {
    Index offset, quads;
  };

  explicit Int8Layout(const ConvolutionShape& s)
      : pixel(pixel_bytes(s.channels)),
        width(round_up(s.width + 2 * s.pad.x, s.stride.x)),
        height(s.height + 2 * s.pad.y),
        merges(s.groups == 1 && s.dilation.x == 1) {
    for (Index phase = 0; phase < s.stride.y && phase < height; ++phase) {
      planes.push_back(image);
      image += (height - phase + s.stride.y - 1) / s.stride.y * width * pixel;
    }
    for (Index i = 0; i < s.kernel.y; ++i) {
      const Index line = i * s.dilation.y;
      const Index at = planes[line % s.stride.y] + line / s.stride.y * width * pixel;
      if (merges) {
        runs.push_back({at, s.kernel.x * pixel, {i, 0}});
        continue;
      }
      const Index bytes = s.groups == 1 ? pixel : round_up(s.group_channels(), 4);
      for (Index j = 0; j < s.kernel.x; ++j)
        runs.push_back({at + j * s.dilation.x * pixel, bytes, {i, j}});
    }
    for (const Run& run : runs)
      for (Index done = 0; done < run.bytes; done += 64)
        pieces.push_back({run.offset + done, std::min<Index>(16, (run.bytes - done) / 4)});
    // One window an image: the images are its places.
    collapsed = s.places() == 1;
    place = collapsed ? image : s.stride.x * pixel;
    row = collapsed ? 1 : width / s.stride.x;
    out = collapsed ? Tap{s.images, 1} : s.out;
    images = collapsed ? 1 : s.images;
  }

  // Where row `y` of a padded image begins.
  Index line(Index y, Index stride) const {
    return planes[y % stride] + y / stride * width * pixel;
  }

  Index pixel, width, height;
  bool merges;  // whether the taps of a row are one run
  Index image = 0;
  std::vector<Index> planes;
  std::vector<Run> runs;
  std::vector<Piece> pieces;
  bool collapsed;
  Index place, row;  // bytes from a window to the next one, and windows from a row to the next one
  Tap out;           // rows and columns of windows of an image
  Index images;
};

// Pooling over images of pixels.
#pragma once

#include "arrays.h"
#include "pixel_channels.h"

#if defined(__AVX2__)

template <class T>
class PixelPoolOf {
 public:
  PixelPoolOf(const Grid& g) : g_(g) {}

  const Grid& grid() const { return g_; }

  void greatest(Values<T> x, MutableValues<T> y) const { run(x, y, &PixelPoolOf::greatest_row); }
  void mean(Values<T> x, MutableValues<T> y) const { run(x, y, &PixelPoolOf::mean_row); }

  // A row of the result, of some channels from those at `x` and `y` on; `x` is where its windows
  // begin, at column 0, which may be in the padding.
  void greatest_row(Index row, const T* x, T* y, Index channels) const;
  void rectified_row(Index row, const T* x, T* y, Index channels) const;  // of these and 0
  void mean_row(Index row, const T* x, T* y, Index channels) const;

  // Where windows of a row begin, and where they end inside the image.
  Index start(Index row) const { return row * g_.stride.y - g_.pad.y; }
  Index end(Index row) const {
    return std::min(g_.in.y, start(row) + (g_.kernel.y - 1) * g_.dilation.y + 1);
  }

 private:
  void run(const Values<T>& x, const MutableValues<T>& y,
           void (PixelPoolOf::*pool)(Index, const T*, T*, Index) const) const {
    g_.each_part(Channels<T>::kCount, [&](const Grid::Part& part) {
      for (Index r = part.row; r < part.row + part.rows; ++r) {
        const Index from = (part.image * g_.in.y + start(r)) * g_.in.x;
        const Index to = (part.image * g_.out.y + r) * g_.out.x;
        (this->*pool)(r, x.data() + from * g_.channels + part.channel,
                      y.data() + to * g_.channels + part.channel, part.channels);
      }
    });
  }

  Grid g_;
};

#endif

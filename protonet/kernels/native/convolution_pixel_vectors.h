// Convolution of images whose channels are adjacent (pixels), with packed weights, by vectors.
#pragma once

#include <cstdint>
#include <memory>
#include <typeinfo>
#include <utility>

#include "arrays.h"
#include "convolution_way.h"

#if defined(__AVX2__)

template <class T>
class PixelVectors {
 public:
  using Word = typename Operand<T>::Word;

  // `planes`: images come as planes, and leave as pixels all the same.
  PixelVectors(const ConvolutionShape& s, bool planes);

  Index packed_size() const { return s_.groups * way_->packed_size(); }
  // Convolutions of equal weights and an equal form take what each other has packed.
  const char* packed_form() const { return typeid(*way_).name(); }

  void pack(Floats w, MutableValues<Word> to) const {
    for (Index g = 0; g < s_.groups; ++g)
      way_->pack(w.data() + s_.w_group(g), to.data() + g * way_->packed_size());
  }

  void forward(Values<T> x, Values<Word> packed, const EpilogueOf<T>& epilogue, T* y) const {
    const Index from = planes_ ? s_.x_group(1) : s_.group_channels(), to = s_.group_outputs();
    for (Index g = 0; g < s_.groups; ++g)
      way_->run_packed(x.data() + g * from, packed.data() + g * way_->packed_size(),
                       y + g * to, epilogue.from(g * to));
  }

  // Of one group: the rows of one image from `first` on, in the calling thread; see PixelWayOf.
  void run_rows(const T* x, Index first, Index count, const Word* packed, T* y,
                const EpilogueOf<T>& epilogue) const {
    way_->run_rows(x, first, count, packed, y, epilogue);
  }
  Index row_step() const { return way_->row_step(); }

  const ConvolutionShape& shape() const { return s_; }

  // Whether results are whole lines of the cache.
  bool fills_lines(Index pixel, const T* y) const {
    constexpr Index line = 64 / sizeof(T);
    return pixel % line == 0 && s_.group_outputs() % line == 0 &&
           reinterpret_cast<std::uintptr_t>(y) % sizeof(Vec) == 0;
  }

 private:
  // Square kernels with stride 1, where Winograd is estimated to be faster.
  template <class F>
  void add_winograd();
  template <class F>
  void add_winograd_of_planes();

  // Cycles to read the transformed weights of a pair of channels from memory, where they meet few
  // places; measured.
  static constexpr double kTravel = 20;

  // Whether too few places are computed to fill the tiles of Winograd.
  bool few_places() const { return s_.images * s_.places() <= 64; }

  ConvolutionShape s_;
  bool planes_;
  std::shared_ptr<const PixelWayOf<T>> way_;
};

#endif

// Products of a panel of windows over pixels with packed weights, and where they go. What they are
// compiled from is in pixel_panels.cpp.
#pragma once

#include <limits>
#include <utility>
#include <vector>

#include "convolution_way.h"
#include "features.h"
#include "gemm.h"

#if defined(__AVX2__)

// How many products are summed in registers, see kChunk: adding to sums in memory costs more here,
// where weights are packed already, than over planes. Of bfloat16 all of them: what is lost is less
// than what values have lost before.
template <class T>
constexpr Index kSummed = std::is_same_v<T, Bf16> ? Index{1} << 30 : 128;

// Adjacent words under a window, from its first; `ends` a sum in registers.
struct PixelPiece {
  Index offset, count;
  bool ends;
};

// The windows of a panel. Registers hold the addresses of any windows with AVX2; with AVX-512, where
// there are more of them, those of a few that are equally far apart.
template <class Word>
struct PanelWindows {
  const Word* first;
#if defined(__AVX512F__)
  Index place;  // words from one to the next
#else
  Index begin[kRows];  // words from the first
#endif
};
constexpr bool kAnyWindows = kLanes < 16;

// Functions that compute in bfloat16 have the attribute of its instructions, and so have the templates
// that they are inlined into. Of float32, those contain none of these instructions.
inline void put_lanes(float* to, Vec v, Index count, bool streams) {
  if (streams) return stream(to, v);
  count == kLanes ? store(to, v) : store_some(to, v, count);
}

#if defined(__AVX512F__)
WITH_BF16 inline void put_lanes(Bf16* to, Vec v, Index count, bool streams) {
  const auto halves = (__m256i)_mm512_cvtneps_pbh(reinterpret_cast<__m512>(v));
  if (streams) _mm256_stream_si256(reinterpret_cast<__m256i*>(to), halves);
  else if (count == kLanes) _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), halves);
  else _mm256_mask_storeu_epi16(to, static_cast<__mmask16>((1u << count) - 1), halves);
}
#endif

// Up to kColumns adjacent outputs of places.
template <class T>
class PixelPanel {
 public:
  using Word = typename Operand<T>::Word;

  PixelPanel(const EpilogueOf<T>& epilogue, Index first, Index count)
      : epilogue_(epilogue), count_(count) {
    for (Index v = 0; v < kVectors; ++v) {
      const Index here = lanes(v);
      factor_[v] = epilogue.factor == nullptr ? splat(1.0f)
                                              : load_some(epilogue.factor + first + v * kLanes, here);
      bias_[v] = epilogue.bias == nullptr ? Vec{}
                                          : load_some(epilogue.bias + first + v * kLanes, here);
    }
  }

  // Whether all vectors of `width` outputs are whole, and only rectified at most.
  bool is_plain(Index width) const {
    return count_ == width && epilogue_.addend == nullptr && !epilogue_.streams;
  }

  // Writes the sums of R adjacent places.
  template <Index R, Index V, bool kPlain>
  WITH_BF16 void put(const Vec (&sums)[R][V], T* to) const {
    const Vec least = splat(epilogue_.rectify ? 0.0f : -std::numeric_limits<float>::infinity());
    const Index pixel = epilogue_.pixel;
#pragma GCC unroll 4
    for (Index v = 0; v < V; ++v, to += kLanes) {
      const Vec factor = factor_[v], bias = bias_[v];
      if (!kPlain && v * kLanes >= count_) break;
#pragma GCC unroll 16
      for (Index r = 0; r < R; ++r) {
        const Vec value = sums[r][v] * factor + bias;
        // Written this way so that NaN propagates.
        T* const at = to + r * pixel;
        if constexpr (kPlain) put_lanes(at, value < least ? least : value, kLanes, false);
        else put_lanes(at, epilogue_.finish(value, at, lanes(v)), lanes(v), epilogue_.streams);
      }
    }
  }

 private:
  Index lanes(Index v) const { return std::clamp<Index>(count_ - v * kLanes, 0, kLanes); }

  const EpilogueOf<T>& epilogue_;
  Index count_;
  Vec factor_[kVectors], bias_[kVectors];
};

// Products of panels of windows with strips of packed weights.
template <class T>
struct PixelStrips {
  using Word = typename Operand<T>::Word;

  const std::vector<PixelPiece>& pieces;
  Index depth;
  Strips strips;
  const Word* packed;
  const EpilogueOf<T>& epilogue;

  // The outputs of strips [first, last) for a panel of `rows` windows; all outputs of the first
  // window begin at `y`. What is ahead is loaded while those of the first strip are summed.
  void multiply(Index first, Index last, Index rows, const PanelWindows<Word>& windows,
                const Ahead<Word>& ahead, T* y) const;
};

#endif

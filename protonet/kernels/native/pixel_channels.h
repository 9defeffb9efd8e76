// Adjacent channels of pixels, as vectors of floats, and windows that slide over images of pixels.
#pragma once

#include <utility>

#include "features.h"
#include "gather.h"
#include "pool.h"

#if defined(__AVX2__)

// As many adjacent channels as a vector holds of a stored type. Of bfloat16, these are those with
// even numbers and those with odd ones.
//
// Functions that write bfloat16 have the attribute of its instructions, and so have the templates
// that they are inlined into. Of float32, those contain none of these instructions.
template <class T>
struct Channels;

template <>
struct Channels<float> {
  using Lanes = FirstLanes;
  static constexpr Index kVectors = 1, kCount = kLanes;
  Vec v[kVectors];
};

template <class T>
using Lanes = typename Channels<T>::Lanes;

// The others are 0.
inline Channels<float> channels_at(const float* p, FirstLanes lanes) { return {{lanes.load(p)}}; }

// `streams`: all of them, in a line of its own, past the caches.
inline void put_channels(float* p, FirstLanes lanes, const Channels<float>& c,
                         bool streams = false) {
  streams ? stream(p, c.v[0]) : lanes.store(p, c.v[0]);
}

// Of floats one for each channel, those of channels of T, of which some are there.
inline Channels<float> floats_at(const float* p, FirstLanes lanes) { return {{lanes.load(p)}}; }

#if defined(__AVX512F__)

template <>
struct Channels<Bf16> {
  struct Lanes {
    __mmask32 mask;
    explicit Lanes(Index n)
        : mask(static_cast<__mmask32>((std::uint64_t{1} << std::min(n, kCount)) - 1)) {}
  };
  static constexpr Index kVectors = 2, kCount = 32;
  Vec v[kVectors];
};

inline Channels<Bf16> channels_at(const Bf16* p, Lanes<Bf16> lanes) {
  const __m512i both = _mm512_maskz_loadu_epi16(lanes.mask, p);
  const __m512i odd = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
  return {{reinterpret_cast<Vec>(_mm512_slli_epi32(both, 16)),
           reinterpret_cast<Vec>(_mm512_and_epi32(both, odd))}};
}

WITH_BF16 inline __m512i halves_of(Vec v) {
  return _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(reinterpret_cast<__m512>(v)));
}

WITH_BF16 inline void put_channels(Bf16* p, Lanes<Bf16> lanes, const Channels<Bf16>& c,
                                   bool streams = false) {
  const __m512i both = _mm512_or_epi32(halves_of(c.v[0]), _mm512_slli_epi32(halves_of(c.v[1]), 16));
  if (streams) _mm512_stream_si512(reinterpret_cast<__m512i*>(p), both);
  else if (lanes.mask == 0xffffffffu) _mm512_storeu_si512(p, both);
  else _mm512_mask_storeu_epi16(p, lanes.mask, both);
}

inline Channels<Bf16> floats_at(const float* p, Lanes<Bf16> lanes) {
  const __m512 low = _mm512_maskz_loadu_ps(static_cast<__mmask16>(lanes.mask), p);
  const __m512 high = _mm512_maskz_loadu_ps(static_cast<__mmask16>(lanes.mask >> 16), p + 16);
  const __m512i even =
      _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
  return {{reinterpret_cast<Vec>(_mm512_permutex2var_ps(low, even, high)),
           reinterpret_cast<Vec>(_mm512_permutex2var_ps(low, odd, high))}};
}

#endif

template <class T>
inline Channels<T> same_channels(float value) {
  Channels<T> c;
  for (Vec& each : c.v) each = splat(value);
  return c;
}

// Whether images are not likely to be in a cache. Then rows are fetched while those above them are
// read: pixels are read a vector at a time, which the processor does not see through.
template <class A>
inline bool is_far(const A& images) {
  return images.nbytes() > std::size_t{8} << 20;
}

template <class T>
inline void prefetch(const T* p) {
  _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T1);
}

struct Grid {
  Index images, channels;
  Tap in, kernel, stride, pad, dilation, out;

  // The taps of a window that begins at `start` that are inside an axis.
  struct Inside {
    Index first, last;
  };
  static Inside inside(Index start, Index kernel, Index dilation, Index extent) {
    const Index first = start < 0 ? (-start + dilation - 1) / dilation : 0;
    const Index last = std::min(kernel, (extent - start + dilation - 1) / dilation);
    return {first, std::max(first, last)};
  }
  Inside rows_inside(Index row) const {
    return inside(row * stride.y - pad.y, kernel.y, dilation.y, in.y);
  }
  Inside columns_inside(Index column) const {
    return inside(column * stride.x - pad.x, kernel.x, dilation.x, in.x);
  }

  // Some rows of the result for an image, of some of its channels.
  struct Part {
    Index image, row, rows, channel, channels;
  };

  // body(part) for parts that make up the result, with whole vectors of `unit` channels.
  template <class F>
  void each_part(Index unit, F&& body) const {
    // Rows of a part share most of what they read, channels of a pixel a line of the cache.
    constexpr Index kLeastRows = 4, kMostRows = 8, kLeastUnits = 4;
    const Index wanted = 8 * threads(), units = (channels + unit - 1) / unit;
    const Index share = (images * out.y + wanted - 1) / wanted;
    const Index rows = std::min(std::clamp(share, kLeastRows, kMostRows) / 2 * 2, out.y);
    const Index bands = (out.y + rows - 1) / rows, tasks = images * bands;
    const Index splits = std::clamp<Index>((wanted + tasks - 1) / std::max<Index>(1, tasks), 1,
                                           std::max<Index>(1, units / kLeastUnits));
    parallel(tasks * splits, [&](Index task) {
      const Index band = task / splits % bands, split = task % splits;
      const Index first = units * split / splits * unit;
      const Index last = std::min(channels, units * (split + 1) / splits * unit);
      body(Part{task / splits / bands, band * rows, std::min(rows, out.y - band * rows), first,
                last - first});
    });
  }
};

template <class C>
void construct_over(C* self, Index images, Index channels, Extents in, Extents kernel,
                    Extents stride, Extents pad, Extents dilation, Extents out) {
  new (self) C(Grid{images, channels, tap(in), tap(kernel), tap(stride), tap(pad), tap(dilation),
                    tap(out)});
}

#endif

// Products of a panel of windows over pixels: one function for each size of a tile.
#include "pixel_panels.h"

#if defined(__AVX2__)

namespace {

inline void add_product(Vec& sum, const float* a, Vec b) { sum += splat(*a) * b; }

#if defined(__AVX512F__)
WITH_BF16 inline void add_product(Vec& sum, const std::uint32_t* a, Vec b) {
  std::int32_t word;
  std::memcpy(&word, a, sizeof word);  // of an image, which is one of bfloat16
  const auto pair = reinterpret_cast<__m512bh>(_mm512_set1_epi32(word));
  sum = reinterpret_cast<Vec>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(sum), pair,
                                               reinterpret_cast<__m512bh>(b)));
}
#endif

// What a panel multiplies, for R windows and V vectors.
template <Index R, Index V, bool kPlain, class T, class Word>
WITH_BF16 void multiply_pixel_tile(const std::vector<PixelPiece>& pieces, const Word* a,
                                   Index place, const Word* b, float* tile, const Word* ahead,
                                   const PixelPanel<T>& results, T* y) {
  // A row and its two neighbors have addresses of one base.
  constexpr Index kBases = (R + 2) / 3;
  Vec* to = reinterpret_cast<Vec*>(tile);
  const PixelPiece* piece = pieces.data();
  const PixelPiece* const end = piece + pieces.size();
  for (bool go_on = false;; go_on = true) {
    Vec sums[R][V];
    for (Index r = 0; r < R; ++r)
      for (Index v = 0; v < V; ++v) sums[r][v] = Vec{};
    do {
      const Word* rows[kBases];
      for (Index i = 0; i < kBases; ++i) rows[i] = a + piece->offset + 3 * i * place;
      for (Index k = piece->count; k > 0; --k, b += V * kLanes) {
        __builtin_prefetch(std::exchange(ahead, ahead + kLanes));
        Vec columns[V];
#pragma GCC unroll 4
        for (Index v = 0; v < V; ++v) columns[v] = reinterpret_cast<const Vec*>(b)[v];
#pragma GCC unroll 16
        for (Index r = 0; r < R; ++r) {
#pragma GCC unroll 4
          for (Index v = 0; v < V; ++v)
            add_product(sums[r][v], rows[r / 3] + r % 3 * place, columns[v]);
        }
        for (Index i = 0; i < kBases; ++i) ++rows[i];
      }
    } while (!(piece++)->ends);
    if (go_on) {
#pragma GCC unroll 16
      for (Index r = 0; r < R; ++r)
#pragma GCC unroll 4
        for (Index v = 0; v < V; ++v) sums[r][v] = to[r * V + v] + sums[r][v];
    }
    if (piece == end) return results.template put<R, V, kPlain>(sums, y);
#pragma GCC unroll 16
    for (Index r = 0; r < R; ++r)
#pragma GCC unroll 4
      for (Index v = 0; v < V; ++v) to[r * V + v] = sums[r][v];
  }
}

}  // namespace

template <class T>
void PixelPanel<T>::multiply(Index rows, Index width, const std::vector<PixelPiece>& pieces,
                             const Word* a, Index place, const Word* b, float* tile,
                             const Word* ahead, T* y) const {
  const PixelPanel& results = *this;
  const bool plain = is_plain(width);
  with_rows(rows, [=, &pieces, &results](auto r) {
    if (width == kColumns && plain)
      multiply_pixel_tile<r, kVectors, true>(pieces, a, place, b, tile, ahead, results, y);
    else if (width == kColumns)
      multiply_pixel_tile<r, kVectors, false>(pieces, a, place, b, tile, ahead, results, y);
    else if (plain)
      multiply_pixel_tile<r, kVectors / 2, true>(pieces, a, place, b, tile, ahead, results, y);
    else
      multiply_pixel_tile<r, kVectors / 2, false>(pieces, a, place, b, tile, ahead, results, y);
  });
}

template class PixelPanel<float>;
#if defined(__AVX512F__)
template class PixelPanel<Bf16>;
#endif

#endif

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

// The words under R windows, one after the other.
template <Index R, class Word>
struct Rows {
#if defined(__AVX512F__)
  // A row and its two neighbors have addresses of one base.
  static constexpr Index kBases = (R + 2) / 3;

  Rows(const PanelWindows<Word>& windows, Index offset) : place(windows.place) {
    for (Index i = 0; i < kBases; ++i) base[i] = windows.first + offset + 3 * i * place;
  }
  const Word* of(Index r) const { return base[r / 3] + r % 3 * place; }
  void next() {
    for (Index i = 0; i < kBases; ++i) ++base[i];
  }

  const Word* base[kBases];
  Index place;
#else
  Rows(const PanelWindows<Word>& windows, Index offset) {
#pragma GCC unroll 6
    for (Index r = 0; r < R; ++r) base[r] = windows.first + windows.begin[r] + offset;
  }
  const Word* of(Index r) const { return base[r] + k; }
  void next() { ++k; }

  const Word* base[R];
  Index k = 0;
#endif
};

// What a panel multiplies, for R windows and V vectors.
template <Index R, Index V, bool kPlain, class T, class Word>
WITH_BF16 void multiply_pixel_tile(const std::vector<PixelPiece>& pieces,
                                   const PanelWindows<Word>& windows, const Word* b, float* tile,
                                   const Ahead<Word>& ahead, const PixelPanel<T>& results, T* y) {
  Vec* to = reinterpret_cast<Vec*>(tile);
  const Word* next = ahead.first;
  const Index step = ahead.step;
  const PixelPiece* piece = pieces.data();
  const PixelPiece* const end = piece + pieces.size();
  for (bool go_on = false;; go_on = true) {
    Vec sums[R][V];
    for (Index r = 0; r < R; ++r)
      for (Index v = 0; v < V; ++v) sums[r][v] = Vec{};
    do {
      Rows<R, Word> rows(windows, piece->offset);
      for (Index k = piece->count; k > 0; --k, b += V * kLanes) {
        __builtin_prefetch(std::exchange(next, next + step));
        Vec columns[V];
#pragma GCC unroll 4
        for (Index v = 0; v < V; ++v) columns[v] = reinterpret_cast<const Vec*>(b)[v];
#pragma GCC unroll 16
        for (Index r = 0; r < R; ++r) {
#pragma GCC unroll 4
          for (Index v = 0; v < V; ++v)
            add_product(sums[r][v], rows.of(r), columns[v]);
        }
        rows.next();
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
                             const PanelWindows<Word>& windows, const Word* b, float* tile,
                             const Ahead<Word>& ahead, T* y) const {
  const PixelPanel& results = *this;
  const bool plain = is_plain(width);
  with_rows(rows, [=, &pieces, &windows, &ahead, &results](auto r) {
    if (width == kColumns && plain)
      multiply_pixel_tile<r, kVectors, true>(pieces, windows, b, tile, ahead, results, y);
    else if (width == kColumns)
      multiply_pixel_tile<r, kVectors, false>(pieces, windows, b, tile, ahead, results, y);
    else if (plain)
      multiply_pixel_tile<r, kVectors / 2, true>(pieces, windows, b, tile, ahead, results, y);
    else
      multiply_pixel_tile<r, kVectors / 2, false>(pieces, windows, b, tile, ahead, results, y);
  });
}

template class PixelPanel<float>;
#if defined(__AVX512F__)
template class PixelPanel<Bf16>;
#endif

#endif

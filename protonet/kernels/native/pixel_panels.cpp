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

// Strips of V vectors each, for R windows.
template <Index R, Index V, bool kPlain, class T, class Word>
WITH_BF16 void multiply_strips(const PixelStrips<T>& of, Index strip, Index last,
                               const PanelWindows<Word>& windows, const Ahead<Word>& ahead, T* y) {
  const PixelPiece* const end = of.pieces.data() + of.pieces.size();
  const Word* next = ahead.first;
  const Word* b = of.packed + strip * kColumns * of.depth;
  for (Index step = ahead.step; strip < last; ++strip, step = 0) {
    const PixelPanel<T> results(of.epilogue, strip * kColumns, of.strips.columns(strip));
    T* const to = y + strip * kColumns;
    if (!of.epilogue.streams)
      for (Index r = 0; r < R; ++r) __builtin_prefetch(to + r * of.epilogue.pixel, 1);
    if (!kPlain && of.epilogue.addend != nullptr) {
      const T* const other = of.epilogue.addend + (to - of.epilogue.results);
      for (Index r = 0; r < R; ++r) __builtin_prefetch(other + r * of.epilogue.pixel);
    }
    Vec all[R][V];  // the sums of all but the last chunk
    const PixelPiece* piece = of.pieces.data();
    for (bool go_on = false; piece != end; go_on = true) {
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
            for (Index v = 0; v < V; ++v) add_product(sums[r][v], rows.of(r), columns[v]);
          }
          rows.next();
        }
      } while (!(piece++)->ends);
      if (go_on) {
#pragma GCC unroll 16
        for (Index r = 0; r < R; ++r)
#pragma GCC unroll 4
          for (Index v = 0; v < V; ++v) sums[r][v] = all[r][v] + sums[r][v];
      }
      if (piece == end) {
        results.template put<R, V, kPlain>(sums, to);
      } else {
#pragma GCC unroll 16
        for (Index r = 0; r < R; ++r)
#pragma GCC unroll 4
          for (Index v = 0; v < V; ++v) all[r][v] = sums[r][v];
      }
    }
  }
}

}  // namespace

template <class T>
void PixelStrips<T>::multiply(Index first, Index last, Index rows,
                              const PanelWindows<Word>& windows, const Ahead<Word>& ahead,
                              T* y) const {
  const PixelStrips& own = *this;
  const Index whole = std::min(last, strips.count / kColumns);
  const bool plain = epilogue.addend == nullptr && !epilogue.streams;
  with_rows(rows, [=, &own, &windows, &ahead](auto r) {
    if (first < whole && plain)
      multiply_strips<r, kVectors, true>(own, first, whole, windows, ahead, y);
    else if (first < whole)
      multiply_strips<r, kVectors, false>(own, first, whole, windows, ahead, y);
    if (whole == last) return;
    const Ahead<Word> rest = first < whole ? Ahead<Word>{ahead.first, 0} : ahead;
    const Index width = strips.width(whole);
    if (width == kColumns)
      multiply_strips<r, kVectors, false>(own, whole, last, windows, rest, y);
    else if (plain && strips.columns(whole) == width)
      multiply_strips<r, kVectors / 2, true>(own, whole, last, windows, rest, y);
    else
      multiply_strips<r, kVectors / 2, false>(own, whole, last, windows, rest, y);
  });
}

template struct PixelStrips<float>;
#if defined(__AVX512F__)
template struct PixelStrips<Bf16>;
#endif

#endif

// Loops over long arrays: whole vectors, a tail, and threads where they pay off.
#pragma once

#include <nanobind/nanobind.h>

#include <algorithm>
#include <optional>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "bfloat16.h"
#include "pool.h"

// A whole vector.
struct Whole {
  template <class T>
  Vec load(const T* p) const {
    return ::load(p);
  }
  template <class T>
  void store(T* p, Vec v) const {
    ::store(p, v);
  }
  Vec keep(Vec v) const { return v; }
};

// The tail: the first lanes of a vector. No memory beyond them is accessed; `keep` zeroes the
// others.
class Tail {
 public:
#if defined(__AVX512F__)
  explicit Tail(Index n) : lanes_(static_cast<__mmask16>((1u << n) - 1)) {}
  Vec load(const float* p) const { return (Vec)_mm512_maskz_loadu_ps(lanes_, p); }
  void store(float* p, Vec v) const { _mm512_mask_storeu_ps(p, lanes_, (__m512)v); }
  Vec load(const Bf16* p) const { return widen((Halves)_mm256_maskz_loadu_epi16(lanes_, p)); }
  void store(Bf16* p, Vec v) const {
    _mm256_mask_storeu_epi16(p, lanes_, (__m256i)narrow(v));
  }
  Vec keep(Vec v) const { return (Vec)_mm512_maskz_mov_ps(lanes_, (__m512)v); }

 private:
  __mmask16 lanes_;
#else
  explicit Tail(Index n) : lanes_(among_first(n)), count_(n) {}
  template <class T>
  Vec load(const T* p) const {
    return load_some(p, count_);
  }
  template <class T>
  void store(T* p, Vec v) const {
    store_some(p, v, count_);
  }
  Vec keep(Vec v) const { return lanes_ ? v : Vec{}; }

 private:
  Mask lanes_;
  Index count_;
#endif
};

// body(i, part) for every vector of n elements, in order; `part` loads and stores it.
template <class F>
inline void sweep(Index n, F&& body) {
  Index i = 0;
  for (; i + kLanes <= n; i += kLanes) body(i, Whole{});
  if (i < n) body(i, Tail(n - i));
}

// The chunk size of parallel loops, fixed so that results do not depend on the thread count.
constexpr Index kShare = 1 << 14;

// body(begin, end) for all of n elements, in chunks; in parallel if there are several.
template <class F>
inline void share_out(Index n, F&& body) {
  if (n <= 2 * kShare) {
    body(Index{0}, n);
    return;
  }
  parallel((n + kShare - 1) / kShare,
           [&](Index share) { body(share * kShare, std::min(n, (share + 1) * kShare)); });
}

// body(i, part) for every vector of n elements, on all threads.
template <class F>
inline void spread(Index n, F&& body) {
  share_out(n, [&](Index begin, Index end) {
    sweep(end - begin, [&](Index i, auto part) { body(begin + i, part); });
  });
}

// Releases the GIL where the work takes longer than releasing it.
class Unlocked {
 public:
  explicit Unlocked(Index elements) {
    if (elements > kShare) free_.emplace();
  }

 private:
  std::optional<nanobind::gil_scoped_release> free_;
};

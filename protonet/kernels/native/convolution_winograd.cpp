#include "convolution_winograd.h"

namespace {

using namespace winograd;

// Transpose `rows` rows of N values, each row a kernel, into N vectors with one kernel per lane.
template <Index N>
inline void load_kernels(const float* w, Index stride, Index rows, bool turned, Vec (&to)[N]) {
  for (Index part = 0; part < N; part += kLanes) {
    const Index here = std::min<Index>(kLanes, N - part);
    Vec square[kLanes];
    for (Index r = 0; r < kLanes; ++r)
      square[r] = r < rows ? load_some(w + r * stride + part, here) : Vec{};
    transpose(square);
    for (Index i = 0; i < here; ++i) to[turned ? N - 1 - part - i : part + i] = square[i];
  }
}

// Begin to load so many kernels, which lie too far apart for processors to foresee them.
template <bool kWritten>
inline void fetch_kernels(const float* w, Index stride, Index rows) {
  for (Index r = 0; r < rows; ++r) __builtin_prefetch(w + r * stride, kWritten);
}

// The inverse, accumulated into the destination.
template <Index N>
inline void add_kernels(const Vec (&from)[N], Index stride, Index rows, bool turned, float* w) {
  for (Index part = 0; part < N; part += kLanes) {
    const Index here = std::min<Index>(kLanes, N - part);
    Vec square[kLanes];
    for (Index i = 0; i < kLanes; ++i)
      square[i] = i < here ? from[turned ? N - 1 - part - i : part + i] : Vec{};
    transpose(square);
    for (Index r = 0; r < rows; ++r) {
      float* to = w + r * stride + part;
      store_some(to, load_some(to, here) + square[r], here);
    }
  }
}

// Columns [0, columns) of a row of up to kLanes planes, as one vector of channels per column. They
// are columns of the image row from `first` on; outside of the image they are 0.
inline void load_pixels(const float* row, Index plane, Index channels, Index width, Index first,
                        Index columns, Vec* to) {
  const Index before = std::clamp<Index>(-first, 0, columns);
  const Index after = std::clamp<Index>(width - first, before, columns);
  for (Index i = 0; i < before; ++i) to[i] = Vec{};
  for (Index i = before; i < after; i += kLanes) {
    const Index here = std::min(kLanes, after - i);
    Vec square[kLanes];
    for (Index c = 0; c < kLanes; ++c) {
      const float* from = row + c * plane + first + i;
      square[c] = c >= channels ? Vec{} : here == kLanes ? load(from) : load_some(from, here);
    }
    transpose(square);
    for (Index j = 0; j < here; ++j) to[i + j] = square[j];
  }
  for (Index i = after; i < columns; ++i) to[i] = Vec{};
}

// The inverse: a row of pixels, each a vector of channels, to as many planes.
inline void store_pixels(const Vec* pixels, Index channels, Index width, Index plane, float* row,
                         const Epilogue& epilogue) {
  for (Index c = 0; c < width; c += kLanes) {
    const Index here = std::min(kLanes, width - c);
    Vec square[kLanes];
    for (Index j = 0; j < kLanes; ++j) square[j] = pixels[c + j];
    transpose(square);
    float* to = row + c;
    for (Index j = 0; j < channels; ++j, to += plane) {
      const Vec value = epilogue.finish(square[j], to, here);
      here == kLanes ? store(to, value) : store_some(to, value, here);
    }
  }
}

// A register tile of R rows (tiles of the image) and V vectors of a strip's columns. The lanes of a
// channel group are contiguous; channel groups are `next` floats apart, and the last one has `last`
// channels. Stores the sums or, with `go_on`, adds them.
//
// Registers hold the sums of `chunk` groups at a time, since transforms add to the error of long
// sums; these are added in `totals`, for rows of results are so far apart that they would share
// sets of the cache.
template <Index R, Index V>
void multiply_values(Index groups, Index chunk, Index next, Index last, const float* a,
                     const float* b, float* to, Index to_stride, bool go_on) {
  Index g = 0;
  const auto sum_chunk = [&](Vec(&sums)[R][V]) {
    for (Index r = 0; r < R; ++r)
      for (Index v = 0; v < V; ++v) sums[r][v] = Vec{};
    for (const Index end = std::min(groups, g + chunk); g < end; ++g, a += next) {
      const Index depth = g + 1 < groups ? kLanes : last;
#pragma GCC unroll 2
      for (Index k = 0; k < depth; ++k, b += kColumns) {
        Vec columns[V];
#pragma GCC unroll 4
        for (Index v = 0; v < V; ++v) columns[v] = reinterpret_cast<const Vec*>(b)[v];
#pragma GCC unroll 16
        for (Index r = 0; r < R; ++r) {
          const Vec factor = splat(a[r * kLanes + k]);
#pragma GCC unroll 4
          for (Index v = 0; v < V; ++v) sums[r][v] += factor * columns[v];
        }
      }
    }
  };
  const auto at = [&](Index r) { return reinterpret_cast<Vec*>(to + r * to_stride); };
  Vec totals[R][V];
  sum_chunk(totals);
  if (go_on)
#pragma GCC unroll 16
    for (Index r = 0; r < R; ++r)
#pragma GCC unroll 4
      for (Index v = 0; v < V; ++v) totals[r][v] += at(r)[v];
  while (g < groups) {
    Vec sums[R][V];
    sum_chunk(sums);
#pragma GCC unroll 16
    for (Index r = 0; r < R; ++r)
#pragma GCC unroll 4
      for (Index v = 0; v < V; ++v) totals[r][v] += sums[r][v];
  }
#pragma GCC unroll 16
  for (Index r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (Index v = 0; v < V; ++v) at(r)[v] = totals[r][v];
}

// The first `columns` of a strip.
void multiply_rows(Index rows, Index columns, Index groups, Index chunk, Index next, Index last,
                   const float* a, const float* b, float* to, Index to_stride, bool go_on) {
  static_assert(kVectors == 2);
  switch (2 * rows + (columns > kLanes)) {
#define OF(R, V) \
  return multiply_values<R, V>(groups, chunk, next, last, a, b, to, to_stride, go_on);
#define CASE(R)        \
  case 2 * R: OF(R, 1) \
  case 2 * R + 1: OF(R, 2)
    CASE(1) CASE(2) CASE(3) CASE(4)
#if defined(__AVX2__)
    CASE(5) CASE(6)
#endif
#if defined(__AVX512F__)
    CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14)
#endif
#undef CASE
#undef OF
  }
}

// sums[r][...] (+)= the sum over tiles t of a[t][r] b[t][...], for R adjacent lanes of a.
template <Index R>
void multiply_lanes(Index tiles, const float* a, const float* b, float* to, bool go_on) {
  Vec* out = reinterpret_cast<Vec*>(to);
  Vec sums[R][kVectors];
  for (Index r = 0; r < R; ++r)
    for (Index v = 0; v < kVectors; ++v) sums[r][v] = go_on ? out[r * kVectors + v] : Vec{};
  for (Index t = 0; t < tiles; ++t, a += kLanes, b += kColumns) {
    Vec columns[kVectors];
#pragma GCC unroll 4
    for (Index v = 0; v < kVectors; ++v) columns[v] = reinterpret_cast<const Vec*>(b)[v];
#pragma GCC unroll 16
    for (Index r = 0; r < R; ++r) {
      const Vec factor = splat(a[r]);
#pragma GCC unroll 4
      for (Index v = 0; v < kVectors; ++v) sums[r][v] += factor * columns[v];
    }
  }
#pragma GCC unroll 16
  for (Index r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (Index v = 0; v < kVectors; ++v) out[r * kVectors + v] = sums[r][v];
}

constexpr auto kSerially = [](Index count, auto&& body) {
  for (Index i = 0; i < count; ++i) body(i);
};

Vec* vectors(float* p) { return reinterpret_cast<Vec*>(p); }

}  // namespace

template <class F>
void Winograd<F>::transform_weights(const float* w, float* to) const {
  parallel(strips_ * groups_, [&](Index task) {
    const Index strip = task / groups_, first = task % groups_ * kLanes;
    transform_some(w, strip, first, std::min(x_.count, first + kLanes),
                   to + (strip * x_.count + first) * kColumns, weights_step());
  });
}

// The weights of channels [first, last) and one strip; place k + 1 begins `step` floats after k.
template <class F>
void Winograd<F>::transform_some(const float* w, Index strip, Index first, Index last, float* to,
                                 Index step) const {
  for (Index c = first; c < last; ++c)
    for (Index half = 0; half < kColumns; half += kLanes, to += kLanes) {
      const Index m = strip * kColumns + half;
      const Index rows = std::clamp<Index>(y_.count - m, 0, kLanes);
      const float* from = w + m * weights_.row + c * weights_.column;
      if (c + kAhead < x_.count)
        fetch_kernels<false>(from + kAhead * weights_.column, weights_.row, rows);
      Vec kernels[kTaps], spread[kPlaces];
      load_kernels(from, weights_.row, rows, weights_.turned, kernels);
      transform<F::spread_kernel, kKernel, kIn>(kernels, kKernel, spread);
      for (Index k = 0; k < kPlaces; ++k) *vectors(to + k * step) = spread[k];
    }
}

// V[k][tile][lane] of one channel group; place k begins groups * tiles * lanes after place k - 1.
template <class F>
void Winograd<F>::transform_values(const float* x, const Block& block, Index group,
                                   float* to) const {
  const Index place = values_step(tiles(block));
  if (scatters_) return transform_gradient(x, x_, block, group, {kLanes, place}, to);
  constexpr Index around = kKernel - 1;
  const Index columns = tile_columns_ * kOut + around, rows = block.rows * kOut + around;
  Vec* pixels = vectors(thread_scratch(Scratch::kImage, rows * columns * kLanes));
  for (Index n = 0; n < block.images; ++n) {
    const float* image = x + (block.image + n) * x_.stride +
                         group * kLanes * x_.height * x_.width;
    for (Index r = 0; r < rows; ++r) {
      const Index at = block.row * kOut + r - pad_.y;
      const bool inside = at >= 0 && at < x_.height;
      load_pixels(image + (inside ? at * x_.width : 0), x_.height * x_.width,
                  x_.count - group * kLanes, inside ? x_.width : 0, -pad_.x, columns,
                  pixels + r * columns);
    }
    for (Index r = 0; r < block.rows; ++r)
      for (Index c = 0; c < tile_columns_; ++c, to += kLanes) {
        Vec spread[kPlaces];
        transform<spread_values, kIn, kIn>(pixels + r * kOut * columns + c * kOut, columns, spread);
        for (Index k = 0; k < kPlaces; ++k) *vectors(to + k * place) = spread[k];
      }
  }
}

// The same for pixels, a row of tiles at a time: all channels of a tile, which are adjacent.
template <class F>
template <class T>
void Winograd<F>::transform_pixels(const T* x, const Block& block, Index row, float* to) const {
  const Index count = tiles(block), place = values_step(count);
  const Index top = (block.row + row % block.rows) * kOut - pad_.y;
  const T* image = x + (block.image + row / block.rows) * x_.stride;
  to += row * tile_columns_ * kLanes;
  for (Index c = 0; c < tile_columns_; ++c, to += kLanes) {
    const Index left = c * kOut - pad_.x;
    const auto inside = [&](Index i, Index j) {
      return top + i >= 0 && top + i < x_.height && left + j >= 0 && left + j < x_.width;
    };
    const bool whole = inside(0, 0) && inside(kIn - 1, kIn - 1);
    for (Index g = 0; g < groups_; ++g) {
      const Index channels = std::min(kLanes, x_.count - g * kLanes);
      const T* from = image + x_.at(g * kLanes, top, left);
      Vec values[kPlaces], spread[kPlaces];
      if (whole && channels == kLanes) {
        for (Index k = 0; k < kPlaces; ++k) values[k] = load(from + x_.at(0, k / kIn, k % kIn));
      } else {
        for (Index k = 0; k < kPlaces; ++k)
          values[k] = inside(k / kIn, k % kIn)
                          ? load_some(from + x_.at(0, k / kIn, k % kIn), channels)
                          : Vec{};
      }
      transform<spread_values, kIn, kIn>(values, kIn, spread);
      float* at = to + g * count * kLanes;
      for (Index k = 0; k < kPlaces; ++k) *vectors(at + k * place) = spread[k];
    }
  }
}

// Writes the results of one channel group, R[k][tile][lane].
template <class F>
void Winograd<F>::finish(const float* results, Steps steps, const Block& block, Index group,
                         float* y, const Epilogue& epilogue) const {
  if (scatters_) return finish_scattered(results, steps, block, group, y);
  const Index columns = tile_columns_ * kOut;
  const Index first = group * kLanes;
  const Index channels = std::min(kLanes, y_.count - first);
  const Vec factor =
      epilogue.factor == nullptr ? splat(1.0f) : load_some(epilogue.factor + first, channels);
  const Vec bias = epilogue.bias == nullptr ? Vec{} : load_some(epilogue.bias + first, channels);
  Vec* pixels = vectors(thread_scratch(Scratch::kImage, (kOut * columns + kLanes) * kLanes));
  const float* from = results;
  for (Index n = 0; n < block.images; ++n)
    for (Index r = 0; r < block.rows; ++r) {
      for (Index c = 0; c < tile_columns_; ++c, from += steps.tile) {
        Vec values[kPlaces], out[kOut * kOut];
        for (Index k = 0; k < kPlaces; ++k)
          values[k] = *reinterpret_cast<const Vec*>(from + k * steps.place);
        transform<F::gather_results, kIn, kOut>(values, kIn, out);
        for (Index i = 0; i < kOut * kOut; ++i)
          pixels[i / kOut * columns + c * kOut + i % kOut] = out[i] * factor + bias;
      }
      const Index top = (block.row + r) * kOut;
      for (Index i = 0; i < std::min(kOut, y_.height - top); ++i)
        store_pixels(pixels + i * columns, channels, y_.width, y_.height * y_.width,
                     y + (block.image + n) * y_.stride + (first * y_.height + top + i) * y_.width,
                     epilogue);
    }
}

// The same where tiles of results overlap, of whole images: they are added.
template <class F>
void Winograd<F>::finish_scattered(const float* results, Steps steps, const Block& block,
                                   Index group, float* y) const {
  const Index columns = tile_columns_ * kOut + kKernel - 1, rows = tile_rows_ * kOut + kKernel - 1;
  const Index first = group * kLanes, channels = std::min(kLanes, y_.count - first);
  Vec* pixels = vectors(thread_scratch(Scratch::kImage, (rows * columns + kLanes) * kLanes));
  const float* from = results;
  for (Index n = 0; n < block.images; ++n) {
    std::fill_n(pixels, rows * columns, Vec{});
    for (Index r = 0; r < tile_rows_; ++r)
      for (Index c = 0; c < tile_columns_; ++c, from += steps.tile) {
        Vec values[kPlaces], out[kPlaces];
        for (Index k = 0; k < kPlaces; ++k)
          values[k] = *reinterpret_cast<const Vec*>(from + k * steps.place);
        transform<gather_values, kIn, kIn>(values, kIn, out);
        Vec* at = pixels + r * kOut * columns + c * kOut;
        for (Index k = 0; k < kPlaces; ++k) at[k / kIn * columns + k % kIn] += out[k];
      }
    for (Index i = 0; i < y_.height; ++i)
      store_pixels(pixels + (i + pad_.y) * columns + pad_.x, channels, y_.width,
                   y_.height * y_.width,
                   y + (block.image + n) * y_.stride + (first * y_.height + i) * y_.width, {});
  }
}

// The same for pixels, a row of tiles at a time: all channels of a tile, which are adjacent.
template <class F>
template <class T>
void Winograd<F>::finish_pixels(const float* results, const Block& block, Index row, T* y,
                                const EpilogueOf<T>& epilogue) const {
  const Index place = results_step(tiles(block)), top = (block.row + row % block.rows) * kOut;
  const float* from = results + row * tile_columns_ * strips_ * kColumns;
  const Index pixel = epilogue.pixel;
  T* to = y + ((block.image + row / block.rows) * y_.height + top) * y_.width * pixel;
  const Index rows = std::min(kOut, y_.height - top);
  for (Index c = 0; c < tile_columns_; ++c, from += strips_ * kColumns, to += kOut * pixel) {
    const Index columns = std::min(kOut, y_.width - c * kOut);
    for (Index first = 0; first < y_.count; first += kLanes) {
      const Index channels = std::min(kLanes, y_.count - first);
      const Vec factor =
          epilogue.factor == nullptr ? splat(1.0f) : load_some(epilogue.factor + first, channels);
      const Vec bias = epilogue.bias == nullptr ? Vec{} : load_some(epilogue.bias + first, channels);
      Vec values[kPlaces], out[kOut * kOut];
      for (Index k = 0; k < kPlaces; ++k) values[k] = load(from + k * place + first);
      transform<F::gather_results, kIn, kOut>(values, kIn, out);
      for (Index i = 0; i < rows; ++i)
        for (Index j = 0; j < columns; ++j)
          epilogue.put(out[i * kOut + j] * factor + bias, to + (i * y_.width + j) * pixel + first,
                       channels);
    }
  }
  if (epilogue.streams) end_streams();
}

// The steps of a block in order. `each` runs a step, in parallel or serially.
template <class F>
template <class T, class Each>
void Winograd<F>::run_block(const T* x, const float* weights, T* y, const Block& block,
                            const EpilogueOf<T>& epilogue, Each&& each) const {
  const Index count = tiles(block), width = strips_ * kColumns;
  const Index next = count * kLanes, last = x_.count - (groups_ - 1) * kLanes;
  float* values = thread_scratch(Scratch::kStrips, kPlaces * values_step(count));
  float* results = thread_scratch(Scratch::kTiles, kPlaces * results_step(count));
  if (x_.pixel > 0)
    each(block.images * block.rows, [&](Index r) { transform_pixels(x, block, r, values); });
  else if constexpr (std::is_same_v<T, float>)
    each(groups_, [&](Index g) { transform_values(x, block, g, values + g * next); });
  const Panels panels(count);
  each(kPlaces, [&](Index k) {
    for (Index s = 0; s < strips_; ++s)
      for (Index p = 0; p < panels.count; ++p)
        multiply_rows(panels.height(p), y_.count - s * kColumns, groups_, chunk(), next, last,
                      values + k * values_step(count) + panels.first(p) * kLanes,
                      weights + k * weights_step() + s * x_.count * kColumns,
                      results + k * results_step(count) + panels.first(p) * width + s * kColumns,
                      width, false);
  });
  if (y_.pixel > 0)
    each(block.images * block.rows,
         [&](Index r) { finish_pixels(results, block, r, y, epilogue); });
  else if constexpr (std::is_same_v<T, float>)
    each((y_.count + kLanes - 1) / kLanes, [&](Index g) {
      finish(results + g * kLanes, {width, results_step(count)}, block, g, y, epilogue);
    });
}

template <class F>
void Winograd<F>::run(const float* x, const float* w, float* y, const Epilogue& epilogue) const {
  if (!strip_blocks_.empty() && 2 * strips_ >= threads()) {
    for (const Block& block : strip_blocks_) run_strips(x, w, y, block, epilogue);
    return;
  }
  float* weights = thread_scratch(Scratch::kWeights, kPlaces * weights_step());
  transform_weights(w, weights);
  run_packed(x, weights, y, epilogue);
}

// A strip at a time: the transformed weights of kPart channels stay in the L2 cache, and so do the
// results, where many weights for few tiles would be written to memory and read back. To keep all
// threads busy, images are divided too, and weights transformed for each part of them.
template <class F>
void Winograd<F>::run_strips(const float* x, const float* w, float* y, const Block& block,
                             const Epilogue& epilogue) const {
  const Index count = tiles(block), next = count * kLanes;
  float* values = thread_scratch(Scratch::kStrips, kPlaces * values_step(count));
  parallel(groups_, [&](Index g) { transform_values(x, block, g, values + g * next); });
  const Index parts = parts_of(strips_, std::min<Index>(2, block.images));
  parallel(strips_ * parts, [&](Index task) {
    const Index part = task % parts, first = block.images * part / parts;
    const Block own{block.image + first, block.images * (part + 1) / parts - first, block.row,
                    block.rows};
    run_strip(values + first * (count / block.images) * kLanes, values_step(count), next, w,
              task / parts, y, own, epilogue);
  });
}

// One strip of the results of a block; places and groups of its values are `step` and `next` floats
// apart.
template <class F>
void Winograd<F>::run_strip(const float* values, Index step, Index next, const float* w,
                            Index strip, float* y, const Block& block,
                            const Epilogue& epilogue) const {
  const Panels panels(tiles(block));
  const Index place = panels.rows * kColumns + kLanes;
  float* weights = thread_scratch(Scratch::kWeights, kPartSize);
  float* results = thread_scratch(Scratch::kTiles, kPlaces * place);
  for (Index c = 0; c < x_.count; c += kPart) {
    const Index end = std::min(x_.count, c + kPart), groups = (end - c + kLanes - 1) / kLanes;
    const Index last = end - c - (groups - 1) * kLanes;
    transform_some(w, strip, c, end, weights, kPartStep);
    for (Index k = 0; k < kPlaces; ++k)
      for (Index p = 0; p < panels.count; ++p)
        multiply_rows(panels.height(p), y_.count - strip * kColumns, groups, chunk(), next, last,
                      values + k * step + c / kLanes * next + panels.first(p) * kLanes,
                      weights + k * kPartStep,
                      results + k * place + panels.first(p) * kColumns, kColumns, c > 0);
  }
  for (Index half = 0; half < kColumns; half += kLanes) {
    const Index first = strip * kColumns + half;
    if (first < y_.count)
      finish(results + half, {kColumns, place}, block, first / kLanes, y, epilogue);
  }
}

template <class F>
template <class T>
void Winograd<F>::run_values(const T* x, const float* weights, T* y,
                             const EpilogueOf<T>& epilogue) const {
  const Index blocks = static_cast<Index>(blocks_.size());
  if (blocks >= 2 * threads()) {
    parallel(blocks, [&](Index b) {
      run_block(x, weights, y, blocks_[b], epilogue, kSerially);
    });
    return;
  }
  // With few blocks (one small image), all threads work on each block.
  for (const Block& block : blocks_)
    run_block(x, weights, y, block, epilogue,
              [](Index count, auto&& body) { parallel(count, body); });
}

template <class F>
template <class T>
void Winograd<F>::run_rows(const T* x, Index first, Index count, const float* weights, T* y,
                           const EpilogueOf<T>& epilogue) const {
  const Index rows = (count + kOut - 1) / kOut;
  const Index most = std::max<Index>(1, kBandTiles / tile_columns_);
  for (Index r = 0; r < rows; r += most)
    run_block(x, weights, y - first * y_.width * epilogue.pixel,
              {0, 1, first / kOut + r, std::min(most, rows - r)}, epilogue, kSerially);
}

// Transformed tiles of one group of kLanes channels of gradients of results.
template <class F>
void Winograd<F>::transform_gradient(const float* dy, PlaneSet planes, const Block& block,
                                     Index group, Steps steps, float* to) const {
  const Index columns = tile_columns_ * kOut;
  Vec* pixels = vectors(thread_scratch(Scratch::kImage, kOut * columns * kLanes));
  for (Index n = 0; n < block.images; ++n)
    for (Index r = 0; r < block.rows; ++r) {
      const float* image = dy + (block.image + n) * planes.stride +
                           group * kLanes * planes.height * planes.width;
      for (Index i = 0; i < kOut; ++i) {
        const Index at = (block.row + r) * kOut + i;
        const bool inside = at < planes.height;
        load_pixels(image + (inside ? at * planes.width : 0), planes.height * planes.width,
                    planes.count - group * kLanes, inside ? planes.width : 0, 0, columns,
                    pixels + i * columns);
      }
      for (Index c = 0; c < tile_columns_; ++c, to += steps.tile) {
        Vec spread[kPlaces];
        transform<F::spread_results, kOut, kIn>(pixels + c * kOut, columns, spread);
        for (Index k = 0; k < kPlaces; ++k) *vectors(to + k * steps.place) = spread[k];
      }
    }
}

// D[k][strip][tile][column] of one such group.
template <class F>
void Winograd<F>::transform_columns(const float* dy, const Block& block, Index group,
                                    float* to) const {
  constexpr Index halves = kColumns / kLanes;
  const Index count = tiles(block);
  transform_gradient(dy, y_, block, group, {kColumns, results_step(count)},
                     to + group / halves * count * kColumns + group % halves * kLanes);
}

// Sums of products of values and gradients over a block, for channels [first, last) and one strip:
// Sums[k][channel][column], places kPartStep apart.
template <class F>
void Winograd<F>::multiply_block(const float* values, const float* gradients, Index count,
                                 Index strip, Index first, Index last, float* sums,
                                 bool go_on) const {
  for (Index k = 0; k < kPlaces; ++k)
    for (Index c = first; c < last; c += kHalf)
      multiply_lanes<kHalf>(count,
                            values + k * values_step(count) + c / kLanes * count * kLanes +
                                c % kLanes,
                            gradients + k * results_step(count) + strip * count * kColumns,
                            sums + k * kPartStep + (c - first) * kColumns, go_on);
}

template <class F>
void Winograd<F>::learn(const float* x, const float* dy, float* dw) const {
  if (pieces_ > 1) {
    learn_pieces(x, dy, dw);
  } else {
    learn_together(x, dy, dw);
  }
}

// Each range of blocks has its own accumulators, so that they stay in the cache of one thread.
template <class F>
void Winograd<F>::learn_pieces(const float* x, const float* dy, float* dw) const {
  const Index blocks = static_cast<Index>(learn_blocks_.size()), size = sums_size();
  float* sums = thread_scratch(Scratch::kSums, pieces_ * size);
  parallel(pieces_, [&](Index piece) {
    const Index first = blocks * piece / pieces_, last = blocks * (piece + 1) / pieces_;
    for (Index b = first; b < last; ++b) {
      const Block& block = learn_blocks_[b];
      const Index count = tiles(block);
      float* values = thread_scratch(Scratch::kStrips, kPlaces * values_step(most_));
      float* gradients = thread_scratch(Scratch::kGradient, kPlaces * results_step(most_));
      for (Index g = 0; g < groups_; ++g)
        transform_values(x, block, g, values + g * count * kLanes);
      for (Index g = 0; g < y_groups(); ++g) transform_columns(dy, block, g, gradients);
      for (Index part = 0; part < parts(); ++part)
        multiply_block(values, gradients, count, part % strips_, first_of(part), last_of(part),
                       sums + piece * size + part * kPartSize, b > first);
    }
  });
  parallel(parts(), [&](Index part) { learn_weights(sums + part * kPartSize, part, dw); });
}

// Where the accumulators are too large for that, threads share a block: by channels, then by
// strips and parts of the channels. The last block completes a part while it is in the cache.
template <class F>
void Winograd<F>::learn_together(const float* x, const float* dy, float* dw) const {
  float* values = thread_scratch(Scratch::kStrips, kPlaces * values_step(most_));
  float* gradients = thread_scratch(Scratch::kGradient, kPlaces * results_step(most_));
  const std::size_t blocks = learn_blocks_.size();
  float* sums = blocks == 1 ? nullptr : thread_scratch(Scratch::kSums, sums_size());
  for (std::size_t b = 0; b < blocks; ++b) {
    const Block& block = learn_blocks_[b];
    const Index count = tiles(block);
    parallel(groups_ + y_groups(), [&](Index task) {
      if (task < groups_) {
        transform_values(x, block, task, values + task * count * kLanes);
      } else {
        transform_columns(dy, block, task - groups_, gradients);
      }
    });
    parallel(parts(), [&](Index part) {
      float* own = sums == nullptr ? thread_scratch(Scratch::kTiles, kPartSize)
                                   : sums + part * kPartSize;
      multiply_block(values, gradients, count, part % strips_, first_of(part), last_of(part), own,
                     b > 0);
      if (b + 1 == blocks) learn_weights(own, part, dw);
    });
  }
}

// Transform the sums of a part back to kernels and add them to dw.
template <class F>
void Winograd<F>::learn_weights(const float* sums, Index part, float* dw) const {
  const Index first = first_of(part), last = last_of(part);
  for (Index c = first; c < last; ++c)
    for (Index half = 0; half < kColumns; half += kLanes) {
      const Index m = part % strips_ * kColumns + half;
      if (m >= y_.count) continue;
      const Index rows = std::min(kLanes, y_.count - m);
      float* to = dw + m * weights_.row + c * weights_.column;
      if (c + kAhead < x_.count)
        fetch_kernels<true>(to + kAhead * weights_.column, weights_.row, rows);
      Vec spread[kPlaces], kernels[kTaps];
      for (Index k = 0; k < kPlaces; ++k) {
        const float* from = sums + k * kPartStep + (c - first) * kColumns + half;
        spread[k] = load(from);
        for (Index piece = 1; piece < pieces_; ++piece) spread[k] += load(from + piece * sums_size());
      }
      transform<F::gather_kernel, kIn, kKernel>(spread, kIn, kernels);
      add_kernels(kernels, weights_.row, rows, weights_.turned, to);
    }
}

template class Winograd<F43>;
template class Winograd<F25>;

#if defined(__AVX2__)
#define OF_PIXELS(F, T)                                                                           \
  template void Winograd<F>::run_values(const T*, const float*, T*, const EpilogueOf<T>&) const;  \
  template void Winograd<F>::run_rows(const T*, Index, Index, const float*, T*,                   \
                                      const EpilogueOf<T>&) const;
OF_PIXELS(F43, float)
OF_PIXELS(F25, float)
#if defined(__AVX512F__)
OF_PIXELS(F43, Bf16)
OF_PIXELS(F25, Bf16)
#endif
#undef OF_PIXELS
#endif

// Windows over images of pixels in bfloat16, a channel at a time: pooling and depthwise
// convolution. Planes from pixels and back.
#include <nanobind/nanobind.h>

#include <limits>
#include <utility>

#include "arrays.h"
#include "epilogue.h"
#include "gather.h"
#include "pixel_arrange.h"
#include "pool.h"

namespace nb = nanobind;

#if defined(__AVX512F__)

namespace {

using Extents = std::pair<Index, Index>;

constexpr Index kBoth = 32;  // channels of two vectors
constexpr __mmask32 kAll = 0xffffffffu;

// 32 adjacent channels, those with even numbers and those with odd ones.
struct Channels {
  __m512 even, odd;
};

inline __mmask32 first_of_32(Index n) {
  return static_cast<__mmask32>(n >= kBoth ? kAll : (std::uint64_t{1} << n) - 1);
}

inline Channels channels_at(const Bf16* p, __mmask32 lanes) {
  const __m512i both = lanes == kAll ? _mm512_loadu_si512(p) : _mm512_maskz_loadu_epi16(lanes, p);
  return {_mm512_castsi512_ps(_mm512_slli_epi32(both, 16)),
          _mm512_castsi512_ps(_mm512_and_epi32(both, _mm512_set1_epi32(static_cast<int>(0xffff0000u))))};
}

WITH_BF16 inline void put_channels(Bf16* p, __mmask32 lanes, const Channels& c) {
  const __m512i even = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(c.even));
  const __m512i odd = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(c.odd));
  const __m512i both = _mm512_or_epi32(even, _mm512_slli_epi32(odd, 16));
  if (lanes == kAll) _mm512_storeu_si512(p, both);
  else _mm512_mask_storeu_epi16(p, lanes, both);
}

// 32 floats, of which some are there, as even and odd ones.
inline Channels floats_at(const float* p, __mmask32 lanes) {
  const __m512 low = _mm512_maskz_loadu_ps(static_cast<__mmask16>(lanes), p);
  const __m512 high = _mm512_maskz_loadu_ps(static_cast<__mmask16>(lanes >> 16), p + 16);
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
  return {_mm512_permutex2var_ps(low, even, high), _mm512_permutex2var_ps(low, odd, high)};
}

constexpr Index kTaskRows = 8;

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

  // body(row of x that taps of the first row read, rows of taps, row of y)
  template <class F>
  void each_row(F&& body) const {
    // Rows of a task share most of what they read.
    const Index all = images * out.y;
    const Index each = std::max<Index>(1, std::min(kTaskRows, all / (8 * threads())));
    parallel((all + each - 1) / each, [&](Index task) {
      for (Index at = task * each; at < std::min(all, (task + 1) * each); ++at) {
        const Index n = at / out.y, start = at % out.y * stride.y - pad.y;
        body(n * in.y * in.x + start * in.x, inside(start, kernel.y, dilation.y, in.y),
             at * out.x);
      }
    });
  }
};

Grid grid(Index images, Index channels, Extents in, Extents kernel, Extents stride, Extents pad,
          Extents dilation, Extents out) {
  const auto tap = [](Extents e) { return Tap{e.first, e.second}; };
  return {images, channels, tap(in), tap(kernel), tap(stride), tap(pad), tap(dilation), tap(out)};
}

// Combines the values of each window: `begin`, then `step` for each of them, then `end`.
template <class F>
WITH_BF16 void pool_row(const Grid& g, const F& f, const Bf16* x, Index from, Grid::Inside rows,
                        Bf16* y) {
  for (Index c = 0; c < g.channels; c += kBoth) {
    const __mmask32 lanes = first_of_32(g.channels - c);
    for (Index i = 0; i < g.out.x; ++i) {
      const Index start = i * g.stride.x - g.pad.x;
      const Grid::Inside columns = Grid::inside(start, g.kernel.x, g.dilation.x, g.in.x);
      Channels total{_mm512_set1_ps(f.begin), _mm512_set1_ps(f.begin)};
      for (Index r = rows.first; r < rows.last; ++r) {
        const Bf16* at = x + (from + r * g.dilation.y * g.in.x + start) * g.channels + c;
        for (Index t = columns.first; t < columns.last; ++t) {
          const Channels v = channels_at(at + t * g.dilation.x * g.channels, lanes);
          total = {f.step(total.even, v.even), f.step(total.odd, v.odd)};
        }
      }
      put_channels(y + i * g.channels + c, lanes, f.end(total, i));
    }
  }
}

struct Largest {
  float begin = -std::numeric_limits<float>::max();
  // The first operand stays where the other is NaN, as where it is not less.
  static __m512 step(__m512 most, __m512 v) { return _mm512_max_ps(v, most); }
  static Channels end(Channels c, Index) { return c; }
};

struct Mean {
  float begin = 0;
  const Grid& g;
  Index rows;  // of the window that count
  static __m512 step(__m512 sum, __m512 v) { return _mm512_add_ps(sum, v); }
  Channels end(Channels c, Index i) const {
    // Padding counts up to the padded border.
    const Index start = i * g.stride.x - g.pad.x;
    const Index columns = std::min(start + g.kernel.x, g.in.x + g.pad.x) - start;
    const __m512 share = _mm512_set1_ps(1.0f / static_cast<float>(rows * columns));
    return {_mm512_mul_ps(c.even, share), _mm512_mul_ps(c.odd, share)};
  }
};

class PixelPool {
 public:
  PixelPool(const Grid& g) : g_(g) {}

  void greatest(Values<Bf16> x, MutableValues<Bf16> y) const {
    g_.each_row([&](Index from, Grid::Inside rows, Index to) {
      pool_row(g_, Largest{}, x.data(), from, rows, y.data() + to * g_.channels);
    });
  }

  void mean(Values<Bf16> x, MutableValues<Bf16> y) const {
    g_.each_row([&](Index from, Grid::Inside rows, Index to) {
      const Index start = to / g_.out.x % g_.out.y * g_.stride.y - g_.pad.y;
      const Index count = std::min(start + g_.kernel.y, g_.in.y + g_.pad.y) - start;
      pool_row(g_, Mean{0, g_, count}, x.data(), from, rows, y.data() + to * g_.channels);
    });
  }

 private:
  Grid g_;
};

class PixelDepthwise {
 public:
  PixelDepthwise(const Grid& g) : g_(g), blocks_((g.channels + kBoth - 1) / kBoth) {}

  Index packed_size() const { return blocks_ * taps() * kBoth; }

  void pack(Floats w, MutableFloats packed) const {
    for (Index c = 0; c < g_.channels; ++c)
      for (Index t = 0; t < taps(); ++t)
        packed.data()[(c / kBoth * taps() + t) * kBoth + c % 2 * 16 + c % kBoth / 2] =
            w.data()[c * taps() + t];
  }

  void forward(Values<Bf16> x, Floats packed, Given factor, Given bias, MutableValues<Bf16> y,
               bool rectify) const {
    const Epilogue epilogue{at(factor), at(bias), rectify};
    g_.each_row([&](Index from, Grid::Inside rows, Index to) {
      row(x.data(), packed.data(), epilogue, from, rows, y.data() + to * g_.channels);
    });
  }

 private:
  Index taps() const { return g_.kernel.y * g_.kernel.x; }

  struct Finish {
    Channels factor, bias;
    __m512 least;
    Channels operator()(const Channels& c) const {
      return {_mm512_max_ps(least, _mm512_fmadd_ps(c.even, factor.even, bias.even)),
              _mm512_max_ps(least, _mm512_fmadd_ps(c.odd, factor.odd, bias.odd))};
    }
  };

  WITH_BF16 void row(const Bf16* x, const float* packed, const Epilogue& epilogue, Index from,
                     Grid::Inside rows, Bf16* y) const {
    const bool three = g_.kernel.y == 3 && g_.kernel.x == 3 && rows.first == 0 && rows.last == 3;
    for (Index b = 0; b < blocks_; ++b) {
      const Index c = b * kBoth;
      const __mmask32 lanes = first_of_32(g_.channels - c);
      const Channels ones{_mm512_set1_ps(1), _mm512_set1_ps(1)}, zeros{_mm512_setzero_ps(), _mm512_setzero_ps()};
      const Finish finish{
          epilogue.factor == nullptr ? ones : floats_at(epilogue.factor + c, lanes),
          epilogue.bias == nullptr ? zeros : floats_at(epilogue.bias + c, lanes),
          _mm512_set1_ps(epilogue.rectify ? 0.0f : -std::numeric_limits<float>::infinity())};
      const float* w = packed + b * taps() * kBoth;
      // Windows wholly inside a row.
      const Index reach = (g_.kernel.x - 1) * g_.dilation.x;
      const Index begin = std::min(g_.out.x, (g_.pad.x + g_.stride.x - 1) / g_.stride.x);
      const Index room = g_.in.x + g_.pad.x - reach - 1;
      const Index end = three && room >= 0 ? std::max(begin, std::min(g_.out.x, room / g_.stride.x + 1)) : begin;
      edges(x + from * g_.channels + c, w, finish, rows, 0, begin, lanes, y + c);
      if (end > begin && lanes == kAll)
        middle(x + from * g_.channels + c, w, finish, begin, end, std::integral_constant<__mmask32, kAll>{}, y + c);
      else if (end > begin)
        middle(x + from * g_.channels + c, w, finish, begin, end, lanes, y + c);
      edges(x + from * g_.channels + c, w, finish, rows, end, g_.out.x, lanes, y + c);
    }
  }

  // Any windows [begin, end) of a row.
  WITH_BF16 void edges(const Bf16* x, const float* w, const Finish& finish, Grid::Inside rows,
                       Index begin, Index end, __mmask32 lanes, Bf16* y) const {
    for (Index i = begin; i < end; ++i) {
      const Index start = i * g_.stride.x - g_.pad.x;
      const Grid::Inside columns = Grid::inside(start, g_.kernel.x, g_.dilation.x, g_.in.x);
      Channels sum{_mm512_setzero_ps(), _mm512_setzero_ps()};
      for (Index r = rows.first; r < rows.last; ++r)
        for (Index t = columns.first; t < columns.last; ++t) {
          const Index place = r * g_.dilation.y * g_.in.x + start + t * g_.dilation.x;
          add(sum, channels_at(x + place * g_.channels, lanes), w + (r * g_.kernel.x + t) * kBoth);
        }
      put_channels(y + i * g_.channels, lanes, finish(sum));
    }
  }

  // Windows of 3 x 3 values that are all inside, with weights in registers.
  template <class L>
  WITH_BF16 void middle(const Bf16* x, const float* w, const Finish& finish, Index begin,
                        Index end, L lanes, Bf16* y) const {
    __m512 weights[9][2];
    for (Index t = 0; t < 9; ++t)
      for (Index v = 0; v < 2; ++v) weights[t][v] = _mm512_loadu_ps(w + t * kBoth + 16 * v);
    const Index down = g_.dilation.y * g_.in.x * g_.channels, across = g_.dilation.x * g_.channels;
    for (Index i = begin; i < end; ++i) {
      const Bf16* at = x + (i * g_.stride.x - g_.pad.x) * g_.channels;
      Channels sum{_mm512_setzero_ps(), _mm512_setzero_ps()};
#pragma GCC unroll 9
      for (Index t = 0; t < 9; ++t) {
        const Channels v = channels_at(at + t / 3 * down + t % 3 * across, lanes);
        sum.even = _mm512_fmadd_ps(v.even, weights[t][0], sum.even);
        sum.odd = _mm512_fmadd_ps(v.odd, weights[t][1], sum.odd);
      }
      put_channels(y + i * g_.channels, lanes, finish(sum));
    }
  }

  static void add(Channels& sum, const Channels& v, const float* w) {
    sum.even = _mm512_fmadd_ps(v.even, _mm512_loadu_ps(w), sum.even);
    sum.odd = _mm512_fmadd_ps(v.odd, _mm512_loadu_ps(w + 16), sum.odd);
  }

  Grid g_;
  Index blocks_;  // of 32 channels
};

constexpr Index kPlaces = 256;  // per task

template <class T>
void to_pixels(Values<T> x, MutableValues<Bf16> y, Index images, Index channels, Index places) {
  const Index parts = (places + kPlaces - 1) / kPlaces;
  parallel(images * parts, [&](Index task) {
    const Index n = task / parts * channels * places, p = task % parts * kPlaces;
    planes_to_pixels(x.data() + n + p, places, channels, std::min(kPlaces, places - p),
                     y.data() + n + p * channels, channels);
  });
}

template <class T>
void to_planes(Values<Bf16> x, MutableValues<T> y, Index images, Index channels, Index places) {
  const Index parts = (places + kPlaces - 1) / kPlaces;
  parallel(images * parts, [&](Index task) {
    const Index n = task / parts * channels * places, p = task % parts * kPlaces;
    pixels_to_planes(x.data() + n + p * channels, channels, std::min(kPlaces, places - p),
                     y.data() + n + p, places);
  });
}

template <class C>
void construct(C* self, Index images, Index channels, Extents in, Extents kernel, Extents stride,
               Extents pad, Extents dilation, Extents out) {
  new (self) C(grid(images, channels, in, kernel, stride, pad, dilation, out));
}

}  // namespace

void add_pixel_windows(nb::module_& outer) {
  nb::module_ m = nb::cast<nb::module_>(outer.attr("bfloat16"));
  using Free = nb::call_guard<nb::gil_scoped_release>;
  nb::class_<PixelPool>(m, "PixelPool")
      .def("__init__", &construct<PixelPool>)
      .def("greatest", &PixelPool::greatest, Free())
      .def("mean", &PixelPool::mean, Free());
  nb::class_<PixelDepthwise>(m, "PixelDepthwise")
      .def("__init__", &construct<PixelDepthwise>)
      .def("packed_size", &PixelDepthwise::packed_size, "Of packed weights.")
      .def("pack", &PixelDepthwise::pack, Free())
      .def("forward", &PixelDepthwise::forward, nb::arg("x"), nb::arg("packed"),
           nb::arg("factor").none(), nb::arg("bias").none(), nb::arg("y"), nb::arg("rectify"),
           Free());
  m.def("to_pixels", &to_pixels<Bf16>, Free());
  m.def("narrow_to_pixels", &to_pixels<float>, Free());
  m.def("to_planes", &to_planes<Bf16>, Free());
  m.def("widen_to_planes", &to_planes<float>, Free());
}

#else

void add_pixel_windows(nb::module_&) {}

#endif

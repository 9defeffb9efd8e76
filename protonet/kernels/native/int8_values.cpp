// Pooling, sums and concatenation of codes, and their values: pixels of bytes as in int8_layout.h.
#include <nanobind/nanobind.h>
#include <nanobind/stl/vector.h>

#include "arrays.h"
#include "bindings.h"
#include "int8_coding.h"
#include "pool.h"

namespace nb = nanobind;

#if defined(__AVX2__)

namespace {

constexpr Index kPart = 1 << 14;  // bytes of a task, about

using Words = nb::ndarray<const std::int32_t, nb::c_contig, nb::device::cpu>;

const Byte* bytes_of(const Floats& x) { return reinterpret_cast<const Byte*>(x.data()); }
Byte* bytes_of(const MutableFloats& y) { return reinterpret_cast<Byte*>(y.data()); }

// Windows over planes of pixels.
class Int8Pool {
 public:
  Int8Pool(Index images, Index channels, Tap in, Tap kernel, Tap stride, Tap pad, Tap out)
      : images_(images), channels_(channels), pixel_(pixel_bytes(channels)), in_(in),
        kernel_(kernel), stride_(stride), pad_(pad), out_(out) {}

  void max(Floats x, MutableFloats y) const {
    each_row([&](Index image, Index row) {
      Byte* to = bytes_of(y) + (image * out_.y + row) * out_.x * pixel_;
      for (Index column = 0; column < out_.x; ++column, to += pixel_) {
        const Window w = window(bytes_of(x), image, row, column);
        for (Index c = 0; c < pixel_; c += kBytes) {
          const FirstBytes lanes(pixel_ - c);
          Ints most{};
          w.each(in_.x * pixel_, pixel_, [&](const Byte* from) {
            most = NATIVE(max_epu8)(most, lanes.load(from + c));
          });
          lanes.store(to + c, most);
        }
      }
    });
  }

  // y = factor (sum - offset) for each place: as floats, or as codes.
  void average(Floats x, Words offset, Floats factor, std::pair<float, int> target,
               bool gives_codes, MutableFloats y) const {
    const Encoder encode({target.first, target.second});
    each_row([&](Index image, Index row) {
      for (Index column = 0; column < out_.x; ++column) {
        const Window w = window(bytes_of(x), image, row, column);
        const Index place = row * out_.x + column, places = out_.y * out_.x;
        const Ints less = NATIVE(set1_epi32)(offset.data()[place]);
        const Vec times = splat(factor.data()[place]);
        Byte* codes = bytes_of(y) + (image * places + place) * pixel_;
        float* values = y.data() + image * channels_ * places + place;
        for (Index c = 0; c < pixel_; c += kLanes) {
          Ints sum{};
          w.each(in_.x * pixel_, pixel_, [&](const Byte* from) {
            sum = NATIVE(add_epi32)(sum, widened(from + c, pixel_ - c));
          });
          const Vec mean = to_floats(NATIVE(sub_epi32)(sum, less)) * times;
          if (gives_codes) {
            store_narrowed(codes + c, encode(mean), pixel_ - c);
            continue;
          }
          alignas(64) float found[kLanes];
          store(found, mean);
          for (Index i = 0; i < std::min(kLanes, channels_ - c); ++i)
            values[(c + i) * places] = found[i];
        }
      }
    });
  }

 private:
  // The pixels of a window inside its plane.
  struct Window {
    const Byte* first;
    Index rows, columns;

    template <class F>
    void each(Index line, Index pixel, F&& use) const {
      for (Index y = 0; y < rows; ++y)
        for (Index x = 0; x < columns; ++x) use(first + y * line + x * pixel);
    }
  };

  template <class F>
  void each_row(F&& body) const {
    parallel(images_ * out_.y, [&](Index task) { body(task / out_.y, task % out_.y); });
  }

  Window window(const Byte* x, Index image, Index row, Index column) const {
    const Index top = row * stride_.y - pad_.y, left = column * stride_.x - pad_.x;
    const Index y = std::max<Index>(0, top), z = std::max<Index>(0, left);
    return {x + ((image * in_.y + y) * in_.x + z) * pixel_,
            std::min(in_.y, top + kernel_.y) - y, std::min(in_.x, left + kernel_.x) - z};
  }

  Index images_, channels_, pixel_;
  Tap in_, kernel_, stride_, pad_, out_;
};

// Pairs of multipliers of 16 bits for two blobs at a time.
struct Pair {
  const Byte *a, *b;
  Ints times;
};

// The codes of a vector of a sum: (sum of multiplier x code + bias) >> shift, at least `low`.
Ints sum_codes(const std::vector<Pair>& pairs, Index at, const FirstBytes& lanes, Ints bias,
               __m128i shift, Ints low) {
  Ints totals[4] = {bias, bias, bias, bias};
  for (const Pair& pair : pairs) {
    const Ints a = lanes.load(pair.a + at), b = pair.b ? lanes.load(pair.b + at) : Ints{};
    const Ints near = NATIVE(unpacklo_epi8)(a, b), far = NATIVE(unpackhi_epi8)(a, b);
    const Ints words[4] = {
        NATIVE(unpacklo_epi8)(near, Ints{}), NATIVE(unpackhi_epi8)(near, Ints{}),
        NATIVE(unpacklo_epi8)(far, Ints{}), NATIVE(unpackhi_epi8)(far, Ints{})};
    for (int i = 0; i < 4; ++i)
      totals[i] = NATIVE(add_epi32)(totals[i], NATIVE(madd_epi16)(words[i], pair.times));
  }
  for (Ints& total : totals) total = NATIVE(sra_epi32)(total, shift);
  const Ints found = NATIVE(packus_epi16)(NATIVE(packs_epi32)(totals[0], totals[1]),
                                          NATIVE(packs_epi32)(totals[2], totals[3]));
  return NATIVE(max_epu8)(found, low);
}

// All bytes of blobs of one shape; those behind the last channel of a pixel are of no use.
void add_codes(const std::vector<Floats>& x, const std::vector<int>& times, int bias, int shift,
               int low, Index size, MutableFloats y) {
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < x.size(); i += 2) {
    const bool two = i + 1 < x.size();
    const unsigned first = static_cast<std::uint16_t>(times[i]);
    const unsigned second = two ? static_cast<std::uint16_t>(times[i + 1]) : 0;
    pairs.push_back({bytes_of(x[i]), two ? bytes_of(x[i + 1]) : nullptr,
                     NATIVE(set1_epi32)(static_cast<int>(first | second << 16))});
  }
  Byte* to = bytes_of(y);
  parallel((size + kPart - 1) / kPart, [&](Index part) {
    const Ints from = NATIVE(set1_epi32)(bias);
    const Ints least = NATIVE(set1_epi8)(static_cast<char>(low));
    const __m128i by = _mm_cvtsi32_si128(shift);
    for (Index at = part * kPart; at < std::min(size, (part + 1) * kPart); at += kBytes) {
      const FirstBytes lanes(size - at);
      lanes.store(to + at, sum_codes(pairs, at, lanes, from, by, least));
    }
  });
}

// The channels of several blobs, one behind the other in each pixel.
void join_codes(const std::vector<Floats>& x, const std::vector<Index>& channels, Index pixels,
                MutableFloats y) {
  Index all = 0;
  for (const Index each : channels) all += each;
  const Index pixel = pixel_bytes(all), step = std::max<Index>(1, kPart / pixel);
  parallel((pixels + step - 1) / step, [&](Index part) {
    Index first = 0;
    for (std::size_t i = 0; i < x.size(); first += channels[i++]) {
      const Index own = pixel_bytes(channels[i]);
      for (Index p = part * step; p < std::min(pixels, (part + 1) * step); ++p) {
        const Byte* from = bytes_of(x[i]) + p * own;
        Byte* to = bytes_of(y) + p * pixel + first;
        for (Index c = 0; c < channels[i]; c += kBytes)
          FirstBytes(channels[i] - c).store(to + c, FirstBytes(own - c).load(from + c));
      }
    }
  });
}

// Codes as planes of floats: (code - zero) scale.
void decode(Floats x, Index images, Index channels, Index places, float scale, int zero,
            MutableFloats y) {
  const Index pixel = pixel_bytes(channels), parts = (places + kLanes - 1) / kLanes;
  parallel(images * parts, [&](Index task) {
    const Index image = task / parts, p = task % parts * kLanes;
    const Index here = std::min(kLanes, places - p);
    const Byte* from = bytes_of(x) + (image * places + p) * pixel;
    float* to = y.data() + image * channels * places + p;
    const Ints less = NATIVE(set1_epi32)(zero);
    for (Index c = 0; c < channels; c += kLanes) {
      Vec tile[kLanes] = {};
      for (Index r = 0; r < here; ++r) {
        const Ints codes = widened(from + r * pixel + c, pixel - c);
        tile[r] = to_floats(NATIVE(sub_epi32)(codes, less)) * scale;
      }
      transpose(tile);
      for (Index i = 0; i < std::min(kLanes, channels - c); ++i)
        store_some(to + (c + i) * places, tile[i], here);
    }
  });
}

}  // namespace

#endif

void add_int8_values(nb::module_& m) {
#if defined(__AVX2__)
  using Numbers = std::pair<Index, Index>;
  const auto released = nb::call_guard<nb::gil_scoped_release>();
  nb::class_<Int8Pool>(m, "Int8Pool")
      .def("__init__",
           [](Int8Pool* self, Index images, Index channels, Numbers in, Numbers kernel,
              Numbers stride, Numbers pad, Numbers out) {
             const auto tap = [](Numbers pair) { return Tap{pair.first, pair.second}; };
             new (self) Int8Pool(images, channels, tap(in), tap(kernel), tap(stride), tap(pad),
                                 tap(out));
           })
      .def("max", &Int8Pool::max, released)
      .def("average", &Int8Pool::average, released);
  m.def("add_codes", &add_codes, released);
  m.def("join_codes", &join_codes, released);
  m.def("decode_codes", &decode, released);
#else
  (void)m;
#endif
}

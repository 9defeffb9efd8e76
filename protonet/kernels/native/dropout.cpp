// Dropout: random numbers are generated, compared and applied in one pass; the mask has one bit per
// value.
#include <nanobind/nanobind.h>

#include <algorithm>
#include <cmath>

#include "arrays.h"
#include "bindings.h"
#include "edges.h"
#include "pool.h"

namespace nb = nanobind;
using Bytes = nb::ndarray<const std::uint8_t, nb::c_contig, nb::device::cpu>;
using MutableBytes = nb::ndarray<std::uint8_t, nb::c_contig, nb::device::cpu>;
using Word = std::uint64_t;

namespace {

constexpr Index kRange = 16384;  // values per task
constexpr Index kTogether = 4;   // blocks of random words generated together

// Philox4x64-10 (Salmon et al., SC 2011) with NumPy's counter order: block b of an iteration has
// the counter (b + 1, 0, iteration, 0), and gives 8 numbers of 24 bits each.
struct Philox {
  Word key[2], iteration;

  // One bit for each of the 8 numbers of each block: whether it is at least `least` / 2^24.
  void draw(Word block, std::uint32_t least, std::uint8_t* bits) const {
    Word c[4][kTogether];
    for (Index n = 0; n < kTogether; ++n) {
      c[0][n] = block + static_cast<Word>(n) + 1;
      c[1][n] = c[3][n] = 0;
      c[2][n] = iteration;
    }
    Word k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; ++round) {
#pragma GCC unroll 4
      for (Index n = 0; n < kTogether; ++n) {
        const unsigned __int128 a = static_cast<unsigned __int128>(0xD2E7470EE14C6C93u) * c[0][n];
        const unsigned __int128 b = static_cast<unsigned __int128>(0xCA5A826395121157u) * c[2][n];
        c[0][n] = static_cast<Word>(b >> 64) ^ c[1][n] ^ k0;
        c[1][n] = static_cast<Word>(b);
        c[2][n] = static_cast<Word>(a >> 64) ^ c[3][n] ^ k1;
        c[3][n] = static_cast<Word>(a);
      }
      k0 += 0x9E3779B97F4A7C15u;
      k1 += 0xBB67AE8584CAA73Bu;
    }
    for (Index n = 0; n < kTogether; ++n) {
      unsigned found = 0;
      for (unsigned word = 0; word < 4; ++word) {
        found |= ((static_cast<std::uint32_t>(c[word][n]) >> 8) >= least) << (2 * word);
        found |= ((c[word][n] >> 40) >= least) << (2 * word + 1);
      }
      bits[n] = static_cast<std::uint8_t>(found);
    }
  }
};

// `scale` where a bit is set, else 0, for the vector at bit i.
inline Vec factors(const std::uint8_t* bits, Index i, float scale) {
  std::uint32_t here = 0;
  for (Index byte = 0; byte < (kLanes + 7) / 8 + 1; ++byte)
    here |= static_cast<std::uint32_t>(bits[i / 8 + byte]) << (8 * byte);
  here >>= i % 8;
  Mask lane;
  for (Index k = 0; k < kLanes; ++k) lane[k] = std::int32_t{1} << k;
  const Mask set = (Mask{} + static_cast<std::int32_t>(here)) & lane;
  return set != Mask{} ? splat(scale) : Vec{};
}

// Dropped values are multiplied by 0, so that NaN and infinity propagate. The bit of value i is
// i + shift.
template <class T>
void multiply(const T* x, const std::uint8_t* bits, Index shift, float scale, Index first,
              Index last, T* y) {
  for (Index i = first; i < last; i += kLanes)
    store_first(y + i, load_first(x + i, last - i) * factors(bits, i + shift, scale), last - i);
}

template <class F>
void over_ranges(Index count, F&& body) {
  parallel((count + kRange - 1) / kRange, [&](Index task) {
    body(task * kRange, std::min(count, (task + 1) * kRange));
  });
}

// The numbers are those of the iteration from `number` on. `bits` begins with the block of the
// first one, and is padded to a whole number of blocks generated together, plus one vector.
template <class T>
void forward(Values<T> x, MutableValues<T> y, MutableBytes bits, float ratio, float scale, Word key0,
             Word key1, Word iteration, Word number) {
  const Philox philox{{key0, key1}, iteration};
  const std::uint32_t least =
      static_cast<std::uint32_t>(std::ceil(static_cast<double>(ratio) * 16777216.0));
  const Index count = static_cast<Index>(x.size()), shift = static_cast<Index>(number % 8);
  const auto draw = [&](Index first, Index last) {
    for (Index i = first; i < last; i += 8 * kTogether)
      philox.draw(number / 8 + static_cast<Word>(i / 8), least, bits.data() + i / 8);
  };
  const auto apply = [&](Index first, Index last) {
    multiply(x.data(), bits.data(), shift, scale, first, last, y.data());
  };
  if (shift == 0) {
    over_ranges(count, [&](Index first, Index last) {
      draw(first, last);
      apply(first, last);
    });
  } else {  // values of a range need bits of the next
    over_ranges(count + shift, draw);
    over_ranges(count, apply);
  }
}

template <class T>
void backward(Values<T> dy, Bytes bits, float scale, MutableValues<T> dx, Word number) {
  const Index shift = static_cast<Index>(number % 8);
  over_ranges(static_cast<Index>(dy.size()), [&](Index first, Index last) {
    multiply(dy.data(), bits.data(), shift, scale, first, last, dx.data());
  });
}

template <class T>
void define(nb::module_& m) {
  m.def("dropout_forward", &forward<T>, nb::arg("x"), nb::arg("y"), nb::arg("bits"),
        nb::arg("ratio"), nb::arg("scale"), nb::arg("key0"), nb::arg("key1"),
        nb::arg("iteration"), nb::arg("number") = 0, nb::call_guard<nb::gil_scoped_release>());
  m.def("dropout_backward", &backward<T>, nb::arg("dy"), nb::arg("bits"), nb::arg("scale"),
        nb::arg("dx"), nb::arg("number") = 0, nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace

void add_dropout(nb::module_& m) {
  for_each_type(m, [](auto type, nb::module_& here) { define<decltype(type)>(here); });
}

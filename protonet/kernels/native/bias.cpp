// The gradient of a bias, optionally through a fused ReLU.
#include <nanobind/nanobind.h>

#include <algorithm>

#include "arrays.h"
#include "bindings.h"
#include "pool.h"

namespace nb = nanobind;

namespace {

// dy where y > 0, else 0 (also where y is NaN, since the comparison fails).
inline Vec passed(Vec y, Vec dy) { return y > Vec{} ? dy : Vec{}; }

// One channel of one image. With y, dy is masked in place.
template <class T>
float sum_plane(T* dy, const T* y, Index places) {
  Vec sums[2] = {};
  Index i = 0;
  auto take = [&](Index at, Index count) {
    Vec value = count == kLanes ? load(dy + at) : load_some(dy + at, count);
    if (y != nullptr) {
      value = passed(count == kLanes ? load(y + at) : load_some(y + at, count), value);
      count == kLanes ? store(dy + at, value) : store_some(dy + at, value, count);
    }
    return value;
  };
  for (; i + 2 * kLanes <= places; i += 2 * kLanes) {
    sums[0] += take(i, kLanes);
    sums[1] += take(i + kLanes, kLanes);
  }
  for (; i < places; i += kLanes) sums[0] += take(i, std::min(kLanes, places - i));
  return sum(sums[0] + sums[1]);
}

template <class T>
void learn_planes(T* dy, const T* y, float* db, Index items, Index channels,
                  Index places) {
  // A task handles several adjacent channels: their planes are contiguous.
  const Index group = std::clamp<Index>((1 << 14) / std::max<Index>(1, places * items), 1, 64);
  parallel((channels + group - 1) / group, [&](Index task) {
    for (Index c = task * group; c < std::min(channels, (task + 1) * group); ++c) {
      double total = 0;
      for (Index n = 0; n < items; ++n) {
        const Index at = (n * channels + c) * places;
        total += sum_plane(dy + at, y == nullptr ? nullptr : y + at, places);
      }
      if (db != nullptr) db[c] += static_cast<float>(total);
    }
  });
}

// Channels-last layout: channels are contiguous, one value per place.
template <class T>
void learn_columns(T* dy, const T* y, float* db, Index items, Index channels) {
  for (Index c = 0; c < channels; c += kLanes) {
    const Index here = std::min(kLanes, channels - c);
    Vec total{};
    for (Index n = 0; n < items; ++n) {
      T* at = dy + n * channels + c;
      Vec value = load_some(at, here);
      if (y != nullptr) {
        value = passed(load_some(y + n * channels + c, here), value);
        store_some(at, value, here);
      }
      total += value;
    }
    if (db != nullptr) store_some(db + c, load_some(db + c, here) + total, here);
  }
}

template <class T>
void define(nb::module_& m) {
  m.def(
      "learn_bias",
      [](MutableValues<T> dy, GivenValues<T> y, Taken db, Index items,
         Index channels, Index places) {
        const T* mask = at(y);
        float* total = at(db);
        if (places == 1) return learn_columns(dy.data(), mask, total, items, channels);
        nb::gil_scoped_release free;
        learn_planes(dy.data(), mask, total, items, channels, places);
      },
      nb::arg("dy"), nb::arg("y").none(), nb::arg("db").none(), nb::arg("items"),
      nb::arg("channels"), nb::arg("places"),
      "With y, make dy 0 where y is not above 0; then add its sums over items and places to db.");
}

}  // namespace

void add_bias(nb::module_& m) {
  for_each_type(m, [](auto type, nb::module_& here) { define<decltype(type)>(here); });
}

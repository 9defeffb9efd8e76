// Elementwise combinations of several arrays, and strided copies of parts of arrays.
#include <nanobind/stl/vector.h>

#include <cstring>
#include <limits>

#include "arrays.h"
#include "bindings.h"
#include "sweep.h"

namespace nb = nanobind;

namespace {

typedef std::uint8_t Bytes __attribute__((vector_size(kLanes)));
using Places = nb::ndarray<std::uint8_t, nb::c_contig, nb::device::cpu>;

// The data pointers of several arrays.
template <class T>
struct Pointers {
  explicit Pointers(const std::vector<Values<T>>& arrays) : count(arrays.size()) {
    for (std::size_t k = 0; k < count; ++k) at[k] = arrays[k].data();
  }
  std::size_t count;
  const T* at[256];
};

template <class T>
Index count(const MutableValues<T>& array) { return static_cast<Index>(array.size()); }

template <class T>
void add(Values<T> a, Values<T> b, MutableValues<T> sum) {
  Unlocked free(count(sum));
  const T *left = a.data(), *right = b.data();
  T* to = sum.data();
  spread(count(sum), [=](Index i, auto part) {
    part.store(to + i, part.load(left + i) + part.load(right + i));
  });
}

// The lower bound of a value: 0 with a fused ReLU.
Vec least(bool rectify) {
  return splat(rectify ? 0 : -std::numeric_limits<float>::infinity());
}

// y = the sum of c x over all arrays.
template <class T>
void weighted_sum(const std::vector<Values<T>>& arrays, const std::vector<float>& cs, MutableValues<T> y,
                  bool rectify) {
  const Pointers<T> xs(arrays);
  const Vec low = least(rectify);
  Unlocked free(count(y));
  T* to = y.data();
  if (xs.count == 2) {
    spread(count(y), [=, a = xs.at[0], b = xs.at[1], c = cs[0], d = cs[1]](Index i, auto part) {
      part.store(to + i, max(low, part.load(a + i) * c + part.load(b + i) * d));
    });
    return;
  }
  spread(count(y), [&](Index i, auto part) {
    Vec total = part.load(xs.at[0] + i) * cs[0];
    for (std::size_t k = 1; k < xs.count; ++k) total += part.load(xs.at[k] + i) * cs[k];
    part.store(to + i, max(low, total));
  });
}

// dx = c dy for each array, in one pass over dy. With a top, dy counts as 0 where the top is not
// above 0.
template <class T>
void scatter(Values<T> dy, GivenValues<T> top, const std::vector<float>& cs,
             const std::vector<MutableValues<T>>& arrays) {
  const std::size_t wanted = arrays.size();
  T* dxs[256];
  for (std::size_t k = 0; k < wanted; ++k) dxs[k] = arrays[k].data();
  const Index n = static_cast<Index>(dy.size());
  Unlocked free(n);
  const T *from = dy.data(), *y = at(top);
  spread(n, [&](Index i, auto part) {
    Vec d = part.load(from + i);
    if (y != nullptr) d *= part.load(y + i) > Vec{} ? splat(1) : Vec{};
    for (std::size_t k = 0; k < wanted; ++k) part.store(dxs[k] + i, d * cs[k]);
  });
}

// y = the product of all arrays.
template <class T>
void product(const std::vector<Values<T>>& arrays, MutableValues<T> y, bool rectify) {
  const Pointers<T> xs(arrays);
  const Vec low = least(rectify);
  Unlocked free(count(y));
  T* to = y.data();
  spread(count(y), [&](Index i, auto part) {
    Vec total = part.load(xs.at[0] + i);
    for (std::size_t k = 1; k < xs.count; ++k) total *= part.load(xs.at[k] + i);
    part.store(to + i, max(low, total));
  });
}

// The maximum and its argmax. Of equal values the second array wins over the first, otherwise the
// earlier over the later.
template <class T>
void greatest(const std::vector<Values<T>>& arrays, MutableValues<T> y, Places winner, bool rectify) {
  const Pointers<T> xs(arrays);
  const Vec low = least(rectify);
  Unlocked free(count(y));
  T* to = y.data();
  std::uint8_t* places = winner.data();
  const Index n = count(y);
  spread(n, [&](Index i, auto part) {
    const Vec first = part.load(xs.at[0] + i), second = part.load(xs.at[1] + i);
    Vec best = (first > second) | (first != first) ? first : second;
    Mask place = first <= second ? Mask{} + 1 : Mask{};
    for (std::size_t k = 2; k < xs.count; ++k) {
      const Vec v = part.load(xs.at[k] + i);
      place = v > best ? Mask{} + static_cast<std::int32_t>(k) : place;
      best = (best > v) | (best != best) ? best : v;
    }
    part.store(to + i, max(low, best));
    const Bytes narrow = __builtin_convertvector(place, Bytes);
    std::memcpy(places + i, &narrow, static_cast<std::size_t>(std::min(kLanes, n - i)));
  });
}

template <class T>
void greatest_back(Values<T> dy, Places winner, int place, MutableValues<T> dx) {
  const Index n = count(dx);
  Unlocked free(n);
  const T* d = dy.data();
  const std::uint8_t* places = winner.data();
  T* to = dx.data();
  spread(n, [=](Index i, auto part) {
    Bytes narrow{};
    std::memcpy(&narrow, places + i, static_cast<std::size_t>(std::min(kLanes, n - i)));
    const Mask wins = __builtin_convertvector(narrow, Mask) == place;
    part.store(to + i, part.load(d + i) * (wins ? splat(1) : Vec{}));
  });
}

// Copy rows of `length` elements, with a row stride of `x_step` in x and `y_step` in y.
template <class T>
void copy_rows(Values<T> x, Index x_first, Index x_step, MutableValues<T> y, Index y_first,
               Index y_step, Index rows, Index length) {
  Unlocked free(rows * length);
  const T* from = x.data() + x_first;
  T* to = y.data() + y_first;
  const Index cuts = std::max<Index>(1, length / kShare);
  const Index height = std::max<Index>(1, kShare / std::max<Index>(1, length));
  const auto some = [=](Index share) {
    const Index cut = share % cuts, first = share / cuts * height;
    const Index begin = length * cut / cuts, end = length * (cut + 1) / cuts;
    for (Index row = first; row < std::min(rows, first + height); ++row)
      std::memcpy(to + row * y_step + begin, from + row * x_step + begin,
                  static_cast<std::size_t>(end - begin) * sizeof(T));
  };
  const Index shares = (rows + height - 1) / height * cuts;
  if (rows * length > 2 * kShare) return parallel(shares, some);
  for (Index share = 0; share < shares; ++share) some(share);
}

template <class T>
void define(nb::module_& m) {
  m.def("add", &add<T>);
  m.def("weighted_sum", &weighted_sum<T>);
  m.def("scatter", &scatter<T>, nb::arg("dy"), nb::arg("y").none(), nb::arg("cs"), nb::arg("dxs"));
  m.def("product", &product<T>);
  m.def("greatest", &greatest<T>);
  m.def("greatest_back", &greatest_back<T>);
  m.def("copy_rows", &copy_rows<T>);
}

}  // namespace

void add_combine(nb::module_& m) {
  for_each_type(m, [](auto type, nb::module_& here) { define<decltype(type)>(here); });
}

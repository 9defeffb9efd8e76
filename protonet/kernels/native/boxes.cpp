// Non-maximum suppression of boxes.
#include <nanobind/nanobind.h>

#include <limits>
#include <vector>

#include "arrays.h"
#include "bindings.h"
#include "sweep.h"

namespace nb = nanobind;

namespace {

// Corners of boxes, each coordinate by itself: those of eight boxes are one vector.
template <class T>
struct Corners {
  explicit Corners(Values<T> boxes) {
    const T* from = boxes.data();
    const Index count = static_cast<Index>(boxes.shape(0));
    for (std::vector<T>* to : {&left, &top, &right, &bottom}) to->resize(count);
    for (Index i = 0; i < count; ++i, from += 4) {
      left[i] = from[0], top[i] = from[1], right[i] = from[2], bottom[i] = from[3];
      // Minima and maxima of the definition pass NaN on: it overlaps nothing, as this box does.
      if (left[i] != left[i] || top[i] != top[i] || right[i] != right[i] || bottom[i] != bottom[i])
        left[i] = top[i] = kInfinity, right[i] = bottom[i] = -kInfinity;
    }
  }

  static constexpr T kInfinity = std::numeric_limits<T>::infinity();
  std::vector<T> left, top, right, bottom;
};

// Raises each of `worst` after box `one` to the overlap of its box with that.
template <class T>
void overlap_later(const Corners<T>& corners, const T* area, Index one, Index count, T* worst) {
  const T *left = corners.left.data(), *top = corners.top.data(), *right = corners.right.data(),
          *bottom = corners.bottom.data();
  const T l = left[one], t = top[one], r = right[one], b = bottom[one], own = area[one];
  for (Index i = one + 1; i < count; ++i) {
    const T width = (r < right[i] ? r : right[i]) - (l > left[i] ? l : left[i]);
    const T height = (b < bottom[i] ? b : bottom[i]) - (t > top[i] ? t : top[i]);
    const T shared = (width > 0 ? width : 0) * (height > 0 ? height : 0);
    const T joint = own + area[i] - shared;
    const T overlap = shared > 0 ? shared / joint : 0;
    // NaN, of boxes of infinite area, stays.
    worst[i] = overlap > worst[i] || overlap != overlap ? overlap : worst[i];
  }
}

// Writes the indices of the boxes that stay, and returns their number, at most `most`. The first of
// boxes is the best; `areas` are theirs.
template <class T>
Index suppress(Values<T> boxes, Values<T> areas, double threshold, double eta, Index most,
               MutableValues<Index> stay) {
  const Index count = static_cast<Index>(boxes.shape(0));
  const T* area = areas.data();
  Index* to = stay.data();
  Unlocked free(count * count);
  const Corners<T> corners(boxes);
  std::vector<T> worst(count);
  Index kept = 0;
  for (Index i = 0; i < count && kept < most; ++i) {
    if (!(worst[i] <= static_cast<T>(threshold))) continue;
    to[kept++] = i;
    overlap_later(corners, area, i, count, worst.data());
    if (threshold > 0.5) threshold *= eta;
  }
  return kept;
}

}  // namespace

void add_boxes(nb::module_& m) {
  m.def("suppress", &suppress<float>);
  m.def("suppress", &suppress<double>);
}

// Planes of any storage type as floats: the values themselves, or a copy in scratch of the thread.
#pragma once

#include "edges.h"
#include "pool.h"

inline const float* read_floats(const float* p, Index, Scratch) { return p; }

inline const float* read_floats(const Bf16* p, Index count, Scratch which) {
  float* copy = thread_scratch(which, static_cast<std::size_t>(count));
  Index i = 0;
  for (; i + kLanes <= count; i += kLanes) store(copy + i, load(p + i));
  if (i < count) store(copy + i, load_some(p + i, count - i));
  return copy;
}

// Where to write floats; then `write_back` them.
inline float* floats_for(float* p, Index, Scratch) { return p; }
inline float* floats_for(Bf16*, Index count, Scratch which) {
  return thread_scratch(which, static_cast<std::size_t>(count));
}

inline void write_back(const float*, float*, Index) {}
inline void write_back(const float* from, Bf16* to, Index count) {
  Index i = 0;
  for (; i + kLanes <= count; i += kLanes) store(to + i, load(from + i));
  if (i < count) store_some(to + i, load(from + i), count - i);
}

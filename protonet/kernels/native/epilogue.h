#pragma once

#include "vec.h"

// Applied to sums before they are stored: an optional factor and bias for each row, and an optional
// ReLU. A missing factor is 1, a missing bias 0.
struct Epilogue {
  const float* factor = nullptr;
  const float* bias = nullptr;
  bool rectify = false;

  // The same for rows from this one on.
  Epilogue from(Index row) const {
    return {factor == nullptr ? nullptr : factor + row, bias == nullptr ? nullptr : bias + row,
            rectify};
  }
};

#pragma once

#include "vec.h"

// What becomes of sums before they are stored: times and plus a number for each row, and nothing
// below 0. The number of a row that has none is 1 or 0.
struct Epilogue {
  const float* factor = nullptr;
  const float* bias = nullptr;
  bool rectify = false;

  // The same for rows that begin at this one.
  Epilogue from(Index row) const {
    return {factor == nullptr ? nullptr : factor + row, bias == nullptr ? nullptr : bias + row,
            rectify};
  }
};

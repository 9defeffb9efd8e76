// Winograd transforms (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks,
// arXiv:1509.09308) on vectors: each lane is a channel.
//
// kOut x kOut results y of a kernel g over 6 x 6 values d are A^T ((G g G^T) . (B^T d B)) A: 36
// multiplications, against 144 for the direct sums of F(4x4, 3x3) and 100 for F(2x2, 5x5). Both use
// the points 0, +-1/sqrt(2), +-sqrt(2) and infinity, so that B is the same: the rounding error is
// half of that with the points 0, +-1, +-2 and infinity, at the same cost. Each function below
// transforms one dimension, from a column of values `step` vectors apart.
#pragma once

#include "vec.h"

namespace winograd {

constexpr Index kIn = 6, kPlaces = kIn * kIn;

// The points +-kNear and +-kFar, whose product is 1.
constexpr float kNear = 0.70710678118654752f, kFar = 1.4142135623730951f;
// G divides by the product of the distances from the other points.
constexpr float kNearScale = -2.0f / 3, kFarScale = 1.0f / 6;

// B^T d
inline void spread_values(const Vec* d, Index step, Vec* to, Index to_step) {
  const Vec d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step],
            d5 = d[5 * step];
  const Vec near_even = d4 - 2.0f * d2, near_odd = kNear * (d3 - 2.0f * d1);
  const Vec far_even = d4 - 0.5f * d2, far_odd = kFar * (d3 - 0.5f * d1);
  to[0] = d0 - 2.5f * d2 + d4;
  to[to_step] = near_even + near_odd;
  to[2 * to_step] = near_even - near_odd;
  to[3 * to_step] = far_even + far_odd;
  to[4 * to_step] = far_even - far_odd;
  to[5 * to_step] = d1 - 2.5f * d3 + d5;
}

// B m: the transpose of spread_values.
inline void gather_values(const Vec* m, Index step, Vec* to, Index to_step) {
  const Vec m0 = m[0], m5 = m[5 * step];
  const Vec near_even = m[step] + m[2 * step], near_odd = kNear * (m[step] - m[2 * step]);
  const Vec far_even = m[3 * step] + m[4 * step], far_odd = kFar * (m[3 * step] - m[4 * step]);
  to[0] = m0;
  to[to_step] = m5 - 2.0f * near_odd - 0.5f * far_odd;
  to[2 * to_step] = -2.5f * m0 - 2.0f * near_even - 0.5f * far_even;
  to[3 * to_step] = near_odd + far_odd - 2.5f * m5;
  to[4 * to_step] = m0 + near_even + far_even;
  to[5 * to_step] = m5;
}

struct F43 {
  static constexpr Index kOut = 4, kKernel = 3;

  // A^T m
  static void gather_results(const Vec* m, Index step, Vec* to, Index to_step) {
    const Vec near_even = m[step] + m[2 * step], near_odd = kNear * (m[step] - m[2 * step]);
    const Vec far_even = m[3 * step] + m[4 * step], far_odd = kFar * (m[3 * step] - m[4 * step]);
    to[0] = m[0] + near_even + far_even;
    to[to_step] = near_odd + far_odd;
    to[2 * to_step] = 0.5f * near_even + 2.0f * far_even;
    to[3 * to_step] = 0.5f * near_odd + 2.0f * far_odd + m[5 * step];
  }

  // A y: the transpose of gather_results.
  static void spread_results(const Vec* y, Index step, Vec* to, Index to_step) {
    const Vec y0 = y[0], y1 = y[step], y2 = y[2 * step], y3 = y[3 * step];
    const Vec near_even = y0 + 0.5f * y2, near_odd = kNear * (y1 + 0.5f * y3);
    const Vec far_even = y0 + 2.0f * y2, far_odd = kFar * (y1 + 2.0f * y3);
    to[0] = y0;
    to[to_step] = near_even + near_odd;
    to[2 * to_step] = near_even - near_odd;
    to[3 * to_step] = far_even + far_odd;
    to[4 * to_step] = far_even - far_odd;
    to[5 * to_step] = y3;
  }

  // G g
  static void spread_kernel(const Vec* g, Index step, Vec* to, Index to_step) {
    const Vec g0 = g[0], g1 = g[step], g2 = g[2 * step];
    const Vec near_even = kNearScale * (g0 + 0.5f * g2), near_odd = (kNearScale * kNear) * g1;
    const Vec far_even = kFarScale * (g0 + 2.0f * g2), far_odd = (kFarScale * kFar) * g1;
    to[0] = g0;
    to[to_step] = near_even + near_odd;
    to[2 * to_step] = near_even - near_odd;
    to[3 * to_step] = far_even + far_odd;
    to[4 * to_step] = far_even - far_odd;
    to[5 * to_step] = g2;
  }

  // G^T u: the transpose of spread_kernel.
  static void gather_kernel(const Vec* u, Index step, Vec* to, Index to_step) {
    const Vec u1 = u[step], u2 = u[2 * step], u3 = u[3 * step], u4 = u[4 * step];
    const Vec near = kNearScale * (u1 + u2), far = kFarScale * (u3 + u4);
    to[0] = u[0] + near + far;
    to[to_step] = (kNearScale * kNear) * (u1 - u2) + (kFarScale * kFar) * (u3 - u4);
    to[2 * to_step] = 0.5f * near + 2.0f * far + u[5 * step];
  }
};

struct F25 {
  static constexpr Index kOut = 2, kKernel = 5;

  // A^T m
  static void gather_results(const Vec* m, Index step, Vec* to, Index to_step) {
    const Vec near = m[step] - m[2 * step], far = m[3 * step] - m[4 * step];
    to[0] = m[0] + (m[step] + m[2 * step]) + (m[3 * step] + m[4 * step]);
    to[to_step] = kNear * near + kFar * far + m[5 * step];
  }

  // A y: the transpose of gather_results.
  static void spread_results(const Vec* y, Index step, Vec* to, Index to_step) {
    const Vec y0 = y[0], near = kNear * y[step], far = kFar * y[step];
    to[0] = y0;
    to[to_step] = y0 + near;
    to[2 * to_step] = y0 - near;
    to[3 * to_step] = y0 + far;
    to[4 * to_step] = y0 - far;
    to[5 * to_step] = y[step];
  }

  // G g
  static void spread_kernel(const Vec* g, Index step, Vec* to, Index to_step) {
    const Vec g0 = g[0], g1 = g[step], g2 = g[2 * step], g3 = g[3 * step], g4 = g[4 * step];
    const Vec near_even = kNearScale * (g0 + 0.5f * g2 + 0.25f * g4);
    const Vec near_odd = (kNearScale * kNear) * (g1 + 0.5f * g3);
    const Vec far_even = kFarScale * (g0 + 2.0f * g2 + 4.0f * g4);
    const Vec far_odd = (kFarScale * kFar) * (g1 + 2.0f * g3);
    to[0] = g0;
    to[to_step] = near_even + near_odd;
    to[2 * to_step] = near_even - near_odd;
    to[3 * to_step] = far_even + far_odd;
    to[4 * to_step] = far_even - far_odd;
    to[5 * to_step] = g4;
  }

  // G^T u: the transpose of spread_kernel.
  static void gather_kernel(const Vec* u, Index step, Vec* to, Index to_step) {
    const Vec near_even = kNearScale * (u[step] + u[2 * step]);
    const Vec near_odd = (kNearScale * kNear) * (u[step] - u[2 * step]);
    const Vec far_even = kFarScale * (u[3 * step] + u[4 * step]);
    const Vec far_odd = (kFarScale * kFar) * (u[3 * step] - u[4 * step]);
    to[0] = u[0] + near_even + far_even;
    to[to_step] = near_odd + far_odd;
    to[2 * to_step] = 0.5f * near_even + 2.0f * far_even;
    to[3 * to_step] = 0.5f * near_odd + 2.0f * far_odd;
    to[4 * to_step] = 0.25f * near_even + 4.0f * far_even + u[5 * step];
  }
};

using Pass = void (*)(const Vec*, Index, Vec*, Index);

// Both dimensions: `from` is N x N (rows `row` vectors apart), `to` is M x M, row-major.
template <Pass pass, Index N, Index M>
inline void transform(const Vec* from, Index row, Vec* to) {
  Vec half[M * N];
  for (Index j = 0; j < N; ++j) pass(from + j, row, half + j, N);
  for (Index i = 0; i < M; ++i) pass(half + i * N, 1, to + i * M, 1);
}

}  // namespace winograd

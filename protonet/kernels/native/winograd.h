// Winograd transforms (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks,
// arXiv:1509.09308) on vectors: each lane is a channel.
//
// kOut x kOut results y of a kernel g over 6 x 6 values d are A^T ((G g G^T) . (B^T d B)) A: 36
// multiplications, against 144 for the direct sums of F(4x4, 3x3) and 100 for F(2x2, 5x5). Both use
// the points 0, 1, -1, 2, -2 and infinity, so that B is the same. Each function below transforms
// one dimension, from a column of values `step` vectors apart.
#pragma once

#include "vec.h"

namespace winograd {

constexpr Index kIn = 6, kPlaces = kIn * kIn;

// B^T d
inline void spread_values(const Vec* d, Index step, Vec* to, Index to_step) {
  const Vec d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step],
            d5 = d[5 * step];
  const Vec even = d4 - 4.0f * d2, odd = d3 - 4.0f * d1;
  const Vec near = d4 - d2, far = 2.0f * (d3 - d1);
  to[0] = 4.0f * d0 - 5.0f * d2 + d4;
  to[to_step] = even + odd;
  to[2 * to_step] = even - odd;
  to[3 * to_step] = near + far;
  to[4 * to_step] = near - far;
  to[5 * to_step] = 4.0f * d1 - 5.0f * d3 + d5;
}

struct F43 {
  static constexpr Index kOut = 4, kKernel = 3;

  // A^T m
  static void gather_results(const Vec* m, Index step, Vec* to, Index to_step) {
    const Vec a = m[step] + m[2 * step], b = m[step] - m[2 * step];
    const Vec c = m[3 * step] + m[4 * step], d = m[3 * step] - m[4 * step];
    to[0] = m[0] + a + c;
    to[to_step] = b + 2.0f * d;
    to[2 * to_step] = a + 4.0f * c;
    to[3 * to_step] = b + 8.0f * d + m[5 * step];
  }

  // A y: the transpose of gather_results.
  static void spread_results(const Vec* y, Index step, Vec* to, Index to_step) {
    const Vec y0 = y[0], y1 = y[step], y2 = y[2 * step], y3 = y[3 * step];
    const Vec even = y0 + y2, odd = y1 + y3;
    const Vec far_even = y0 + 4.0f * y2, far_odd = 2.0f * y1 + 8.0f * y3;
    to[0] = y0;
    to[to_step] = even + odd;
    to[2 * to_step] = even - odd;
    to[3 * to_step] = far_even + far_odd;
    to[4 * to_step] = far_even - far_odd;
    to[5 * to_step] = y3;
  }

  // G g
  static void spread_kernel(const Vec* g, Index step, Vec* to, Index to_step) {
    const Vec g0 = g[0], g1 = g[step], g2 = g[2 * step];
    const Vec ends = (-1.0f / 6) * (g0 + g2), middle = (1.0f / 6) * g1;
    const Vec far_ends = (1.0f / 24) * g0 + (1.0f / 6) * g2, far_middle = (1.0f / 12) * g1;
    to[0] = 0.25f * g0;
    to[to_step] = ends - middle;
    to[2 * to_step] = ends + middle;
    to[3 * to_step] = far_ends + far_middle;
    to[4 * to_step] = far_ends - far_middle;
    to[5 * to_step] = g2;
  }

  // G^T u: the transpose of spread_kernel.
  static void gather_kernel(const Vec* u, Index step, Vec* to, Index to_step) {
    const Vec u1 = u[step], u2 = u[2 * step], u3 = u[3 * step], u4 = u[4 * step];
    const Vec near = (1.0f / 6) * (u1 + u2), far = u3 + u4;
    to[0] = 0.25f * u[0] - near + (1.0f / 24) * far;
    to[to_step] = (1.0f / 6) * (u2 - u1) + (1.0f / 12) * (u3 - u4);
    to[2 * to_step] = (1.0f / 6) * far - near + u[5 * step];
  }
};

struct F25 {
  static constexpr Index kOut = 2, kKernel = 5;

  // A^T m
  static void gather_results(const Vec* m, Index step, Vec* to, Index to_step) {
    const Vec near = m[step] - m[2 * step], far = m[3 * step] - m[4 * step];
    to[0] = m[0] + m[step] + m[2 * step] + m[3 * step] + m[4 * step];
    to[to_step] = near + 2.0f * far + m[5 * step];
  }

  // A y: the transpose of gather_results.
  static void spread_results(const Vec* y, Index step, Vec* to, Index to_step) {
    const Vec y0 = y[0], y1 = y[step];
    to[0] = y0;
    to[to_step] = y0 + y1;
    to[2 * to_step] = y0 - y1;
    to[3 * to_step] = y0 + 2.0f * y1;
    to[4 * to_step] = y0 - 2.0f * y1;
    to[5 * to_step] = y1;
  }

  // G g
  static void spread_kernel(const Vec* g, Index step, Vec* to, Index to_step) {
    const Vec g0 = g[0], g1 = g[step], g2 = g[2 * step], g3 = g[3 * step], g4 = g[4 * step];
    const Vec even = (-1.0f / 6) * (g0 + g2 + g4), odd = (1.0f / 6) * (g1 + g3);
    const Vec far_even = (1.0f / 24) * g0 + (1.0f / 6) * g2 + (2.0f / 3) * g4;
    const Vec far_odd = (1.0f / 12) * g1 + (1.0f / 3) * g3;
    to[0] = 0.25f * g0;
    to[to_step] = even - odd;
    to[2 * to_step] = even + odd;
    to[3 * to_step] = far_even + far_odd;
    to[4 * to_step] = far_even - far_odd;
    to[5 * to_step] = g4;
  }

  // G^T u: the transpose of spread_kernel.
  static void gather_kernel(const Vec* u, Index step, Vec* to, Index to_step) {
    const Vec near_even = (1.0f / 6) * (u[step] + u[2 * step]);
    const Vec near_odd = (1.0f / 6) * (u[2 * step] - u[step]);
    const Vec far_even = u[3 * step] + u[4 * step], far_odd = u[3 * step] - u[4 * step];
    to[0] = 0.25f * u[0] - near_even + (1.0f / 24) * far_even;
    to[to_step] = near_odd + (1.0f / 12) * far_odd;
    to[2 * to_step] = (1.0f / 6) * far_even - near_even;
    to[3 * to_step] = near_odd + (1.0f / 3) * far_odd;
    to[4 * to_step] = (2.0f / 3) * far_even - near_even + u[5 * step];
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

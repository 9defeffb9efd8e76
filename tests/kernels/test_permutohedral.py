"""The permutohedral lattice, against one that goes point by point, and against the Gauss."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from protonet.kernels.permutohedral import Lattice


def by_point(features: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The filter as the paper tells it: a dictionary of corners, a point at a time.

    The corners around a point are found by trying: its d + 1 nearest among all those that are.
    """
    points, d = features.shape
    around = [_simplex(_lift(point)) for point in features]
    held: dict[tuple[int, ...], float] = {}
    for corners, value in zip(around, values, strict=True):
        for corner, share in corners.items():
            held[corner] = held.get(corner, 0.0) + share * value
    for axis in range(d + 1):
        step = np.full(d + 1, -1)
        step[axis] = d
        old = dict(held)
        for corner in held:
            for sign in (1, -1):
                beside = tuple((np.array(corner) + sign * step).tolist())
                held[corner] += old.get(beside, 0.0) / 2
    found = [sum(share * held[corner] for corner, share in corners.items()) for corners in around]
    assert len(found) == points
    return np.array(found) / (1 + 2.0**-d)


def _lift(point: np.ndarray) -> np.ndarray:
    d = len(point)
    basis = np.zeros((d + 1, d))
    for i in range(d):
        basis[: i + 1, i], basis[i + 1, i] = 1, -(i + 1)
        basis[:, i] /= math.sqrt((i + 1) * (i + 2))
    lifted: np.ndarray = basis @ point * math.sqrt(2 / 3) * (d + 1)
    return lifted


def _simplex(lifted: np.ndarray) -> dict[tuple[int, ...], float]:
    """The corners around a point of the plane, with barycentric shares: sorted differences to
    the point of remainder 0 whose differences span less than d + 1.
    """
    d = len(lifted) - 1
    low = np.floor(lifted / (d + 1)).astype(int)
    for raised in itertools.product((0, 1), repeat=d + 1):
        origin = (low + raised) * (d + 1)
        rest = lifted - origin
        if origin.sum() == 0 and np.ptp(rest) <= d + 1:
            order = np.argsort(-rest, kind="stable")
            falling = rest[order] / (d + 1)
            corners = {}
            for k in range(d + 1):
                corner = origin + k
                corner[order[d + 1 - k :]] -= d + 1
                after = falling[d - k + 1] if k else falling[0] - 1
                corners[tuple(corner.tolist())] = (
                    1 - falling[0] + falling[d] if k == 0 else falling[d - k] - after
                )
            return corners
    raise AssertionError("no simplex")


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_it_is_what_the_paper_tells(d: int) -> None:
    generator = np.random.default_rng(d)
    features, values = generator.normal(0, 1, (30, d)), generator.standard_normal((2, 30))
    expected = np.stack([by_point(features, row) for row in values])
    np.testing.assert_allclose(Lattice(features).filter(values), expected, atol=1e-10)


def test_transposed_it_is_its_own_transpose() -> None:
    generator = np.random.default_rng(0)
    lattice = Lattice(generator.normal(0, 1, (40, 4)))
    one = np.eye(40)
    np.testing.assert_allclose(
        lattice.filter(one).T, lattice.filter(one, transposed=True), atol=1e-12
    )


def test_it_comes_near_the_gauss() -> None:
    """Over a plane, normalized, as a CRF has it."""
    y, x = np.mgrid[:12, :12].reshape(2, -1) / 3
    features = np.stack([x, y], axis=1)
    values = np.sin(x)[None] + np.cos(2 * y)
    ones = np.ones_like(values)
    kernel = np.exp(-((features[:, None] - features) ** 2).sum(axis=2) / 2)
    lattice = Lattice(features)
    found = lattice.filter(values) / lattice.filter(ones)
    np.testing.assert_allclose(found, values @ kernel / (ones @ kernel), atol=0.1)


def test_points_may_lie_too_far_apart() -> None:
    with pytest.raises(ValueError, match="too far apart"):
        Lattice(np.array([[0.0] * 5, [1e9] * 5]))

"""The permutohedral lattice: a Gaussian filter over points of few dimensions, in linear time.

Source: Adams, Baek and Davis, Fast High-Dimensional Filtering Using the Permutohedral Lattice,
Eurographics 2010. All arrays are NumPy's.
"""

from __future__ import annotations

import math

import numpy as np

from protonet.blob import Array

_MOST_DISTANT = 2.0**40
"""Coordinates beyond it are rejected: rounding would merge corners of the lattice."""


class Lattice:
    """Splats values of points onto the surrounding corners of the lattice, blurs along each axis
    of the lattice, and slices at the points.

    Args:
        features: (points, d), in units of the filter's standard deviation.

    Raises:
        ValueError: where the points lie too far apart.
    """

    def __init__(self, features: Array) -> None:
        self.points, self.dimensions = features.shape
        keys, self._shares = _corners(np.asarray(features, np.float64))
        codes, steps = _encoded(keys.reshape(-1, self.dimensions), self.dimensions)
        distinct, places = np.unique(codes, return_inverse=True)
        self.corners = len(distinct)
        self._places = places.reshape(self.points, self.dimensions + 1)
        self._neighbours = [
            (_found(distinct, distinct + step), _found(distinct, distinct - step)) for step in steps
        ]
        self._scale = 1 / (1 + 2.0**-self.dimensions)

    def filter(self, values: Array, *, transposed: bool = False) -> Array:
        """The filtered ``values`` (channels, points); ``transposed`` for gradients."""
        # The last corner is a dummy for all that are not in the lattice.
        held = np.zeros((len(values), self.corners + 1))
        for channel, row in zip(held, values, strict=True):
            weights = (self._shares * row[:, None]).ravel()
            channel[:-1] = np.bincount(self._places.ravel(), weights, self.corners)
        for before, behind in self._neighbours[:: -1 if transposed else 1]:
            held[:, :-1] += 0.5 * (held[:, before] + held[:, behind])
        out = np.zeros(values.shape)
        for corner in range(self.dimensions + 1):
            out += self._shares[:, corner] * held[:, self._places[:, corner]]
        filtered: Array = out * self._scale
        return filtered


def _corners(features: Array) -> tuple[Array, Array]:
    """The corners around each point, (points, d + 1, d) whole numbers, and its share of each."""
    points, d = features.shape
    lifted = _lifted(features)
    if lifted.size and np.abs(lifted).max() > _MOST_DISTANT:
        raise ValueError("the points lie too far apart")
    rounded = np.rint(lifted / (d + 1))
    origin = rounded * (d + 1)
    # How many coordinates lie further from the origin than each.
    distance = lifted - origin
    rank = np.zeros((points, d + 1), np.int64)
    for i in range(d):
        for j in range(i + 1, d + 1):
            further = distance[:, i] < distance[:, j]
            rank[:, i] += further
            rank[:, j] += ~further
    # A rounded point off the plane is corrected back onto it.
    rank += rounded.sum(axis=1, keepdims=True).astype(np.int64)
    moved = (d + 1) * ((rank < 0).astype(np.int64) - (rank > d))
    rank += moved
    origin += moved
    distance = (lifted - origin) / (d + 1)
    shares, rows = np.zeros((points, d + 2)), np.arange(points)
    for i in range(d + 1):
        shares[rows, d - rank[:, i]] += distance[:, i]
        shares[rows, d - rank[:, i] + 1] -= distance[:, i]
    shares[:, 0] += 1 + shares[:, d + 1]
    order = np.arange(d + 1)
    simplex = np.where(order <= d - order[:, None], order[:, None], order[:, None] - (d + 1))
    keys = origin[:, None, :d].astype(np.int64) + simplex[:, rank[:, :d]].transpose(1, 0, 2)
    return keys, shares[:, : d + 1]


def _lifted(features: Array) -> Array:
    """The points in the plane of d + 1 coordinates whose sum is 0."""
    points, d = features.shape
    i = np.arange(d)
    scaled = features * (math.sqrt(2 / 3) * (d + 1) / np.sqrt((i + 1) * (i + 2)))
    lifted = np.zeros((points, d + 1))
    lifted[:, :d] = scaled[:, ::-1].cumsum(axis=1)[:, ::-1]
    lifted[:, 1:] -= (i + 1) * scaled
    return lifted


def _encoded(keys: Array, d: int) -> tuple[Array, list[int]]:
    """Each key as one number, and how far the neighbours along each axis are in such numbers.

    Raises:
        ValueError: where the keys lie so far apart that 63 bits do not hold them.
    """
    low, high = keys.min(axis=0) - d - 1, keys.max(axis=0) + d + 1
    places = [1]
    for extent in (high - low + 1).tolist():
        places.append(places[-1] * extent)
    if places[-1] >= 1 << 63:
        raise ValueError("the points lie too far apart")
    codes = (keys - low) @ np.array(places[:d], np.int64)
    steps = []
    for axis in range(d + 1):
        step = np.full(d, -1)
        if axis < d:
            step[axis] = d
        steps.append(int(step @ np.array(places[:d], np.int64)))
    return codes, steps


def _found(distinct: Array, wanted: Array) -> Array:
    """The index of each of ``wanted`` in ``distinct``; ``len(distinct)`` for missing ones."""
    places = np.minimum(np.searchsorted(distinct, wanted), len(distinct) - 1)
    return np.where(distinct[places] == wanted, places, len(distinct))

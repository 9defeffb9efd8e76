"""Sums, products and maxima of several arrays on a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.combine import FEW_BOTTOMS, Combine
from protonet.kernels.cuda.launch import DTYPES, ELEMENTS, compiled

_MOST_ARRAYS = 4
"""Arrays that one launch reads or writes."""


class CudaCombine(Combine, processor="cuda"):
    """One pass for up to four arrays; further passes for more."""

    dtypes = DTYPES
    winners = np.uint8

    requires = (FEW_BOTTOMS, ELEMENTS)

    def __init__(self, device: Device, dtype: Any, shape: tuple[int, ...], count: int) -> None:
        super().__init__(device, dtype, shape, count)
        self._source = compiled(device, "combine", dtype)

    def add(self, a: Array, b: Array, out: Array) -> None:
        self.weighted_sum([a, b], [1.0, 1.0], out)

    def weighted_sum(
        self, xs: Sequence[Array], cs: Sequence[float], y: Array, *, rectify: bool = False
    ) -> None:
        terms, factors = list(xs), list(map(float, cs))
        while terms:
            some, their_factors = (
                _padded(terms[:_MOST_ARRAYS]),
                _padded(factors[:_MOST_ARRAYS], 0.0),
            )
            terms, factors = terms[_MOST_ARRAYS:], factors[_MOST_ARRAYS:]
            last = rectify and not terms
            self._source.packs(y.size, "weighted_sum", *some, *their_factors, y, y.size, last)
            if terms:
                terms, factors = [y, *terms], [1.0, *factors]

    def scatter(
        self, dy: Array, y: Array | None, cs: Sequence[float], dxs: Sequence[Array]
    ) -> None:
        for at in range(0, len(dxs), _MOST_ARRAYS):
            factors = _padded([float(c) for c in cs[at : at + _MOST_ARRAYS]], 0.0)
            some = _padded(dxs[at : at + _MOST_ARRAYS])
            self._source.packs(dy.size, "scatter", dy, y, *factors, *some, dy.size)

    def mask(self, dy: Array, y: Array) -> None:
        self.scatter(dy, y, [1.0], [dy])

    def product(self, xs: Sequence[Array], y: Array, *, rectify: bool = False) -> None:
        factors = list(xs)
        while factors:
            some, factors = _padded(factors[:_MOST_ARRAYS]), factors[_MOST_ARRAYS:]
            last = rectify and not factors
            self._source.packs(y.size, "product", *some, y, y.size, last)
            if factors:
                factors = [y, *factors]

    def quotient(self, dy: Array, y: Array, x: Array, dx: Array) -> None:
        self._source.packs(dy.size, "quotient", dy, y, x, dx, dy.size)

    def greatest(
        self, xs: Sequence[Array], y: Array, winner: Array, *, rectify: bool = False
    ) -> None:
        for at in range(0, len(xs), _MOST_ARRAYS):
            last, so_far = rectify and at + _MOST_ARRAYS >= len(xs), y if at else None
            some = _padded(xs[at : at + _MOST_ARRAYS])
            self._source.packs(y.size, "greatest", *some, so_far, y, winner, at, y.size, last)

    def greatest_back(self, dy: Array, winner: Array, place: int, dx: Array) -> None:
        self._source.packs(dy.size, "greatest_back", dy, winner, place, dx, dy.size)


def _padded(given: Sequence[Any], missing: Any = None) -> list[Any]:
    """Pad the arguments of one launch with ``missing``."""
    return [*given, *[missing] * (_MOST_ARRAYS - len(given))]

"""Weights with rows of unit length."""

from __future__ import annotations

from protonet.blob import Array
from protonet.layers.base import Layer

EPS = 1e-6
"""The epsilon of the squared length (happynear's fork, inner_product_layer.cpp)."""


class UnitRows:
    """Normalizes each row of a matrix to length 1: w = w / sqrt(sum w^2 + 1e-6)."""

    def __init__(self, layer: Layer, rows: int, columns: int) -> None:
        self.layer = layer
        self._squares: Array = layer.scratch((rows, columns), layer.real)
        self._lengths: Array = layer.scratch((rows, 1), layer.real)

    def bring(self, weight: Array) -> None:
        """Normalize ``weight`` in place."""
        xp = self.layer.xp
        xp.multiply(weight, weight, out=self._squares)
        self._squares.sum(axis=1, keepdims=True, out=self._lengths)
        xp.add(self._lengths, EPS, out=self._lengths)
        xp.sqrt(self._lengths, out=self._lengths)
        xp.divide(weight, self._lengths, out=weight)

"""Factors and shifts that another layer computes: a small bottom used like a parameter."""

from __future__ import annotations

import math

from protonet.blob import Array, Shape
from protonet.kernels.convert import Convert
from protonet.layers.base import Layer
from protonet.precision import is_low_precision


class Factors:
    """A bottom in the dtype of parameters, float32 for values of 16 bits, and likewise its
    gradient.

    Args:
        layer: on its device.
        shape: of the bottom.
    """

    def __init__(self, layer: Layer, shape: Shape) -> None:
        self._convert: Convert | None = None
        if is_low_precision(layer.dtype):
            self._convert = Convert.make(layer.device, layer.dtype, math.prod(shape))
            self._wide, self._sums = (layer.scratch(shape, layer.real) for _ in range(2))

    def read(self, bottom: Array) -> Array:
        """The bottom's values."""
        if self._convert is None:
            return bottom
        self._convert.widen(bottom, self._wide)
        return self._wide

    def sums(self, dbottom: Array | None) -> Array | None:
        """A zeroed array to add the gradient to; then call ``write``."""
        if dbottom is None:
            return None
        found = dbottom if self._convert is None else self._sums
        found.fill(0.0)
        return found

    def write(self, dbottom: Array | None) -> None:
        """Write the sums to the bottom's gradient."""
        if self._convert is not None and dbottom is not None:
            self._convert.narrow(self._sums, dbottom)

"""Convolutions whose forward passes are one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from protonet.blob import Array
from protonet.kernels.separable import SeparablePixels
from protonet.layers.at_once import AtOnce
from protonet.layers.base import Layer
from protonet.layers.convolution import Convolution


class Separable(AtOnce):
    """The forward pass of convolutions over pixels, of which each reads the result of the one
    before: a depthwise one, behind one of single pixels or not, and one of single pixels.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._layers = [layer for layer in layers if isinstance(layer, Convolution)]
        kernels, last = [layer.packing for layer in self._layers], layers[-1]
        self._kernel = SeparablePixels.make(last.device, last.dtype, kernels)

    def _arguments(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> tuple[Any, ...]:
        x, *added = bottoms
        stages = [layer.stage() for layer in self._layers]
        return x, tops[0], stages, added[0] if added else None

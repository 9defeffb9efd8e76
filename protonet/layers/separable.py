"""Convolutions whose forward passes are one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from protonet.blob import Array
from protonet.kernels.kernel import Call
from protonet.kernels.separable import SeparablePixels
from protonet.layers.base import Layer
from protonet.layers.convolution import Convolution


class AtOnce(ABC):
    """Layers whose forward passes are one call of a kernel."""

    _kernel: Any

    @abstractmethod
    def _arguments(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> tuple[Any, ...]:
        """Of the kernel."""

    def settled(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> Call | None:
        """As of ``PackingLayer``."""
        call: Call | None = self._kernel.call(*self._arguments(bottoms, tops))
        return call

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        """Write the top of the last; ``bottoms`` are that of the first, and what the last adds."""
        self._kernel.forward(*self._arguments(bottoms, tops))


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

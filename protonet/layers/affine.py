"""Chains of layers that scale and shift, folded to one factor and shift for each channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from protonet.blob import Array
from protonet.device import Device
from protonet.layers.base import Layer

Affine = Array | float
"""A value for each channel, or one for all."""


@runtime_checkable
class ChannelAffine(Protocol):
    """A layer with y = factor x + shift, for each channel or the same for all."""

    def affine(self) -> tuple[Affine | None, Affine | None]:
        """Factor and shift: a vector over channels, or one number for all; None for 1 and 0."""


@runtime_checkable
class NumberAffine(Protocol):
    """A layer with y = factor x + shift, the same for all channels."""

    def affine(self) -> tuple[float | None, float | None]:
        """Factor and shift; None for 1 and 0."""


class AffineChain:
    """The composition of affine layers into a single factor and shift for each channel.

    Args:
        device: of the arrays.
        dtype: of factors and shifts.
        channels: of axis 1.
        layers: the chain; layers that are not affine are skipped.
        keep: their parameters, and what the chain is applied after, change before ``forget`` only.
    """

    def __init__(
        self,
        device: Device,
        dtype: Any,
        channels: int,
        layers: Sequence[Layer],
        *,
        keep: bool = False,
    ) -> None:
        self._keep = keep
        self._kept: tuple[Array | None, Array | None] | None = None
        self._xp: Any = device.xp
        self._layers = [layer for layer in layers if isinstance(layer, ChannelAffine)]
        if self._layers:
            self._factor, self._shift = (device.empty((channels,), dtype) for _ in range(2))

    def compose(
        self, factor: Array | None, shift: Array | None
    ) -> tuple[Array | None, Array | None]:
        """Factor and shift of the chain applied after these (None for 1 and 0), which are not
        modified.
        """
        if self._kept is not None:
            return self._kept
        factor, shift = self._compose(factor, shift)
        if self._keep:  # layers may write to the arrays of others
            factor, shift = (None if x is None else x.copy() for x in (factor, shift))
            self._kept = factor, shift
        return factor, shift

    def forget(self) -> None:
        """The parameters have changed."""
        self._kept = None

    def _compose(
        self, factor: Array | None, shift: Array | None
    ) -> tuple[Array | None, Array | None]:
        for layer in self._layers:
            times, plus = layer.affine()
            if times is not None:
                if shift is not None:
                    shift = self._xp.multiply(shift, times, out=self._shift)
                factor = self._combined(self._xp.multiply, factor, times, self._factor)
            if plus is not None:
                shift = self._combined(self._xp.add, shift, plus, self._shift)
        return factor, shift

    def _combined(self, do: Any, before: Array | None, with_: Affine, out: Array) -> Array:
        """``do(before, with_)`` in ``out``; ``with_`` if there is nothing before."""
        if before is not None:
            found: Array = do(before, with_, out=out)
            return found
        if isinstance(with_, float):
            out.fill(with_)
            return out
        return with_

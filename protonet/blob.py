"""Blobs: an array and its gradient; parameters: blobs that a solver updates."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from protonet.device import Device

Array = Any
"""An ndarray of NumPy or CuPy, depending on ``Device.xp``."""

Shape = tuple[int, ...]


class Pixels(Enum):
    """Which blobs of a layer are pixels: N x H x W x C in memory, though N x C x H x W in shape."""

    NONE = "none"
    WRITTEN = "its top"
    ALL = "all"


class Blob:
    """An array ``data`` and, if it has a gradient, ``diff`` of the same shape."""

    __slots__ = ("data", "diff", "name")

    def __init__(self, name: str, data: Array, diff: Array | None = None) -> None:
        self.name = name
        self.data = data
        self.diff = diff

    @property
    def shape(self) -> Shape:
        """The extents of ``data``."""
        return tuple(self.data.shape)


class Param(Blob):
    """A learnable blob.

    ``lr_mult`` and ``decay_mult`` scale the solver's learning rate and weight decay for it.
    If it is ``rewritten``, backward passes write its gradient instead of accumulating it.
    Layers that share a parameter hold the same ``Param``, or a ``view`` of it in another shape.
    ``packed`` are its values in the forms of kernels, by their names, for nets that only answer;
    a parameter that is needed in these alone is ``released``: ``data`` has no values then.
    """

    __slots__ = ("decay_mult", "lr_mult", "owner", "packed", "released", "rewritten")

    def __init__(
        self,
        name: str,
        data: Array,
        diff: Array | None = None,
        lr_mult: float = 1.0,
        decay_mult: float = 1.0,
        owner: Param | None = None,
        packed: dict[str, Array] | None = None,
    ) -> None:
        super().__init__(name, data, diff)
        self.lr_mult = lr_mult
        self.decay_mult = decay_mult
        self.owner = owner
        self.rewritten = False
        self.packed: dict[str, Array] = {} if packed is None else packed
        self.released = False

    def release(self) -> None:
        """Keep the packed values only, until ``reserve``."""
        lone = np.zeros((), self.data.dtype)
        self.data, self.released = np.broadcast_to(lone, self.data.shape), True

    def reserve(self, device: Device) -> Array:
        """``data``, for values to be written to it."""
        if self.released:
            self.data, self.released = device.empty(self.data.shape, self.data.dtype), False
        return self.data

    @property
    def wanted(self) -> bool:
        """Whether its gradient is computed: as in Caffe, unless ``lr_mult`` is 0."""
        return self.lr_mult != 0

    def view(self, shape: Shape) -> Param:
        """The same memory in another shape of the same count (``share_mode: PERMISSIVE``)."""
        return Param(
            self.name,
            self.data.reshape(shape),
            None if self.diff is None else self.diff.reshape(shape),
            self.lr_mult,
            self.decay_mult,
            owner=self.owner or self,
            packed=self.packed,
        )


@dataclass(frozen=True)
class Group:
    """A contiguous range ``[start, stop)`` of a store with equal multipliers."""

    start: int
    stop: int
    lr_mult: float
    decay_mult: float


class ParamStore:
    """All parameters of a net in one flat array ``data``, their gradients in another, ``diff``.

    A solver updates a few long vectors instead of many short ones, and several processes
    exchange one array. ``params`` keeps the order of the net; in the flat arrays, parameters
    with equal multipliers are contiguous, each aligned to 64 bytes (padded with zeros).
    """

    places: dict[int, slice]
    """Where each of ``params`` is in the flat arrays, by its index."""
    groups: tuple[Group, ...]

    def __init__(
        self,
        params: Sequence[Param],
        device: Device,
        dtype: Any,
        *,
        gradients: bool = True,
        zero: bool = False,
        flat: bool = True,
    ) -> None:
        """Move ``params`` (no views) into flat arrays, keeping their values; gradients are 0.

        Without ``gradients``, ``diff`` is empty and None for each parameter. With ``zero``, all
        values are 0: memory is not touched. Without ``flat``, each parameter has an array of its
        own, which may be released; the flat arrays are empty, and nothing has a gradient.
        """
        self.params = list(params)
        self.device = device
        if not flat:
            self.places, self.groups = {}, ()
            self.data = self.diff = device.zeros((0,), dtype)
            for param in self.params:
                param.data, param.diff = device.zeros(param.shape, dtype), None
            return
        end = self._lay_out(np.dtype(dtype).itemsize)
        self.data = device.zeros((end,), dtype)
        self.diff = device.zeros((end if gradients else 0,), dtype)
        for param, data in zip(self.params, self.split(self.data), strict=True):
            if not zero:
                data[...] = param.data
            param.data, param.diff = data, None
        if gradients:
            for param, diff in zip(self.params, self.split(self.diff), strict=True):
                param.diff = diff

    def _lay_out(self, itemsize: int) -> int:
        """Set ``places`` and ``groups``; the length of the flat arrays."""
        align = 64 // itemsize
        kinds = dict.fromkeys((p.lr_mult, p.decay_mult) for p in self.params)
        self.places = {}
        groups, end = [], 0
        for lr_mult, decay_mult in kinds:
            start = end
            for index, param in enumerate(self.params):
                if (param.lr_mult, param.decay_mult) == (lr_mult, decay_mult):
                    self.places[index] = slice(end, end + param.data.size)
                    end += -(-param.data.size // align) * align
            groups.append(Group(start, end, lr_mult, decay_mult))
        self.groups = tuple(groups)
        return end

    def singles(self) -> list[Group]:
        """A group for each single parameter."""
        return [
            Group(place.start, place.stop, param.lr_mult, param.decay_mult)
            for place, param in zip(
                (self.places[index] for index in range(len(self.params))), self.params, strict=True
            )
        ]

    def rest_of_diff(self, params: Collection[Param]) -> list[Array]:
        """The rest of ``diff`` without the parts of ``params``, as views."""
        rest, end = [], 0
        left_out = sorted(
            (self.places[index] for index, param in enumerate(self.params) if param in params),
            key=lambda place: place.start,
        )
        for place in (*left_out, slice(self.diff.size, self.diff.size)):
            if place.start > end:
                rest.append(self.diff[end : place.start])
            end = place.stop
        return rest

    def split(self, flat: Array) -> list[Array]:
        """The part of each parameter in ``flat`` (an array like ``data``), in its own shape."""
        return [
            flat[self.places[index]].reshape(param.data.shape)
            for index, param in enumerate(self.params)
        ]

"""The arrays of a net's values: memory as the layout decides, in the current shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from math import prod
from typing import Any

import numpy as np

from protonet.blob import Array, Blob, Shape
from protonet.device import Device
from protonet.graph.casts import Cast
from protonet.graph.memory import Edge, Layout
from protonet.graph.names import Value
from protonet.graph.plan import Step
from protonet.layers import Layer


class Arrays:
    """``data`` and ``diff`` of every value that has them, as views of the layout's storages;
    ``saved_data`` are copies of overwritten data, ``saved_diff`` of gradients about to be.

    ``arena`` is a buffer of bytes to use instead of a new one, if it is large enough.
    """

    def __init__(self, layout: Layout, device: Device, arena: Array | None = None) -> None:
        self._layout, self._device = layout, device
        if arena is None or arena.size < layout.arena:
            arena = self._zeros(layout.arena)
        self.arena = arena
        self._stores = [
            self._zeros(size) if start is None else arena[start : start + size]
            for start, size in zip(layout.offsets, layout.sizes, strict=True)
        ]
        self.data: dict[Value, Array] = {}
        self.diff: dict[Value, Array] = {}
        self.saved_data: dict[Value, Array] = {}
        self.saved_diff: dict[Value, Array] = {}
        self.fit(layout.storage)

    def in_shapes_of(self, values: Iterable[Value]) -> Arrays:
        """The same storages, seen in the shapes of ``values``."""
        other = copy(self)
        other._stores = list(self._stores)
        for name in ("data", "diff", "saved_data", "saved_diff"):
            setattr(other, name, dict(getattr(self, name)))
        other.fit(values)
        return other

    def fit(self, values: Iterable[Value]) -> None:
        """Reshape the arrays of ``values`` to the current shapes of the values.

        A storage that is too small is replaced; every value in it then has a new array.
        """
        layout = self._layout
        for value in values:
            self._fit(value, self.data, layout.storage)
            self._fit(value, self.diff, layout.diff_storage)
            self._fit(value, self.saved_data, layout.saved_data)
            for storages in layout.saved_diff.values():
                self._fit(value, self.saved_diff, storages)

    def show_params(self, steps: Sequence[Step], layers: Sequence[Layer]) -> None:
        """Make tops that show parameters views of them."""
        for step, layer in zip(steps, layers, strict=True):
            if layer.traits.tops_are_params:
                for value, param in zip(step.tops, layer.params, strict=True):
                    self.data[value] = param.data
                    if param.diff is not None:
                        self.diff[value] = param.diff

    def show(self, blobs: dict[str, Blob], values: Iterable[Value]) -> None:
        """Bind blobs of the values' names to their arrays; existing Blob objects are kept."""
        for value in values:
            blob = blobs.setdefault(value.name, Blob(value.name, self.data[value]))
            blob.data, blob.diff = self.data[value], self.diff.get(value)

    def partial_diff(self, edge: Edge, value: Value) -> Array:
        """Where a step writes its gradient of a bottom before it is added to those of others."""
        return self._transient(
            self._layout.partial_diffs[edge], value, self._layout.types.of(value)
        )

    def cast(self, cast: Cast, value: Value) -> Array:
        """The array of a value, cast to the type that a step computes in."""
        layout = self._layout
        return self._transient(layout.casts[cast], value, layout.types.in_step(cast.step))

    def _transient(self, at: int, value: Value, dtype: Any) -> Array:
        """The beginning of a storage that steps reuse; it grows when needed."""
        size = value.count * dtype.itemsize
        if size > self._stores[at].size:
            self._stores[at] = self._zeros(size)
        return view(self._stores[at], value.shape, dtype)

    def _fit(self, value: Value, arrays: dict[Value, Array], storage: Mapping[Value, int]) -> None:
        if value not in storage:
            return
        at, stores, types = storage[value], self._stores, self._layout.types
        size = types.bytes_of(value)
        if size > stores[at].size:
            stores[at] = self._zeros(size)
            for other, place in storage.items():
                if place == at and other in arrays and types.bytes_of(other) <= size:
                    arrays[other] = view(stores[at], other.shape, types.of(other))
        channels = self._layout.joined.channels.get(at)
        if channels is None:
            arrays[value] = view(stores[at], value.shape, types.of(value))
        else:
            arrays[value] = some_channels(stores[at], value.shape, types.of(value), channels)

    def _zeros(self, size: int) -> Array:
        return self._device.aligned_bytes(size)


def some_channels(stored: Array, shape: Shape, dtype: Any, channels: int) -> Array:
    """Pixels of ``shape`` that are some of the ``channels`` of larger ones, with their strides."""
    _, _, height, width = shape
    across = channels * np.dtype(dtype).itemsize
    strides = (height * width * across, across // channels, width * across, across)
    return np.ndarray(shape, dtype, stored, strides=strides)


def view(stored: Array, shape: Shape | None, dtype: Any) -> Array:
    """The beginning of a byte buffer as an array of this shape and type."""
    count = prod(shape or ())
    return stored[: count * np.dtype(dtype).itemsize].view(dtype).reshape(shape or ())

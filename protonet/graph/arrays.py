"""The arrays of a net's values: memory as a layout decides it, in the shapes of the moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from protonet.blob import Array, Blob, Shape
from protonet.device import Device
from protonet.graph.copies import Copy
from protonet.graph.memory import Edge, Layout
from protonet.graph.names import Value
from protonet.graph.plan import Step
from protonet.layers import Layer


class Arrays:
    """``data`` and ``diff`` of every value that has them, as views of the layout's storages;
    ``kept`` are copies of data that was overwritten, ``apart`` of gradients that will be.

    ``arena`` is bytes that the layout may use, where they are enough.
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
        self.kept: dict[Value, Array] = {}
        self.apart: dict[Value, Array] = {}
        self.fit(layout.storage)

    def fit(self, values: Iterable[Value]) -> None:
        """Give the arrays of ``values`` the shapes that the values have now.

        A storage that is too small is replaced; every value in it then has a new array.
        """
        layout = self._layout
        for value in values:
            self._fit(value, self.data, layout.storage)
            self._fit(value, self.diff, layout.diff_storage)
            self._fit(value, self.kept, layout.kept)
            for storages in layout.apart.values():
                self._fit(value, self.apart, storages)

    def show_params(self, steps: Sequence[Step], layers: Sequence[Layer]) -> None:
        """Let tops that show parameters be those."""
        for step, layer in zip(steps, layers, strict=True):
            if layer.traits.shows_params:
                for value, param in zip(step.tops, layer.params, strict=True):
                    self.data[value] = param.data
                    if param.diff is not None:
                        self.diff[value] = param.diff

    def show(self, blobs: dict[str, Blob], values: Iterable[Value]) -> None:
        """Let blobs of the values' names have their arrays; blobs that are there stay the same."""
        for value in values:
            blob = blobs.setdefault(value.name, Blob(value.name, self.data[value]))
            blob.data, blob.diff = self.data[value], self.diff.get(value)

    def part(self, edge: Edge, value: Value) -> Array:
        """Where a step writes its share of the gradient of a bottom, to be added to others."""
        return self._beginning(self._layout.parts[edge], value, self._layout.types.of(value))

    def copy(self, copy: Copy, value: Value) -> Array:
        """Where a step finds a value, or leaves it, in the type that it computes in."""
        layout = self._layout
        return self._beginning(layout.copies[copy], value, layout.types.in_step(copy.step))

    def _beginning(self, at: int, value: Value, dtype: Any) -> Array:
        """The beginning of a storage that is used anew by each step, grown where it must be."""
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
        arrays[value] = view(stores[at], value.shape, types.of(value))

    def _zeros(self, size: int) -> Array:
        return self._device.zeros((size,), np.uint8)


def view(stored: Array, shape: Shape | None, dtype: Any) -> Array:
    """The beginning of a vector of bytes as an array of this shape and type."""
    count = int(np.prod(shape or (), dtype=np.int64))
    return stored[: count * np.dtype(dtype).itemsize].view(dtype).reshape(shape or ())

"""The arrays of a net's values: memory as a layout decides it, in the shapes of the moment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from protonet.blob import Array, Shape
from protonet.device import Device
from protonet.graph.memory import Edge, Layout
from protonet.graph.names import Value
from protonet.kernels.combine import Combine


class Arrays:
    """``data`` and ``diff`` of every value that has them, as views of the layout's storages.

    ``arena`` is memory that the layout may use, where it is large enough.
    """

    def __init__(
        self, layout: Layout, device: Device, dtype: Any, arena: Array | None = None
    ) -> None:
        self._layout, self._device, self._dtype = layout, device, dtype
        self.add = Combine.make(device, dtype, (), 2).add
        if arena is None or arena.size < layout.arena:
            arena = self._zeros(layout.arena)
        self.arena = arena
        self._stores = [
            self._zeros(size) if start is None else arena[start : start + size]
            for start, size in zip(layout.offsets, layout.sizes, strict=True)
        ]
        self.data: dict[Value, Array] = {}
        self.diff: dict[Value, Array] = {}
        self.fit(layout.storage)

    def fit(self, values: Iterable[Value]) -> None:
        """Give the arrays of ``values`` the shapes that the values have now.

        A storage that is too small is replaced; every value in it then has a new array.
        """
        layout = self._layout
        for value in values:
            self._fit(value, self.data, layout.storage)
            self._fit(value, self.diff, layout.diff_storage)

    def part(self, edge: Edge, value: Value) -> Array:
        """Where a step writes its share of the gradient of a bottom, to be added to others."""
        at = self._layout.parts[edge]
        if value.count > self._stores[at].size:
            self._stores[at] = self._zeros(value.count)
        return view(self._stores[at], value.shape)

    def _fit(self, value: Value, arrays: dict[Value, Array], storage: dict[Value, int]) -> None:
        if value not in storage:
            return
        at, stores = storage[value], self._stores
        if value.count > stores[at].size:
            stores[at] = self._zeros(value.count)
            for other, place in storage.items():
                if place == at and other in arrays and other.count <= value.count:
                    arrays[other] = view(stores[at], other.shape)
        arrays[value] = view(stores[at], value.shape)

    def _zeros(self, count: int) -> Array:
        return self._device.zeros((count,), self._dtype)


def view(flat: Array, shape: Shape | None) -> Array:
    """The beginning of a flat array in the given shape."""
    count = int(np.prod(shape or (), dtype=np.int64))
    return flat[:count].reshape(shape or ())

"""MemoryData: batches from arrays of the caller."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Stateful, shape_text
from protonet.layers.registry import register

_PARAM = "memory_data_param"


@register("MemoryData")
class MemoryData(Stateful):
    """Batches from arrays passed to ``set_arrays``, in order and repeatedly.

    Bottom:
        none.
    Top:
        0: N x C x H x W, the next items.
        1: N, their labels.
    Params:
        none.
    Spec:
        memory_data_param: batch_size, channels, height, width; all are required.
    Raises:
        LayerError: without one of the four, for arrays of invalid shapes, or if the net runs
        before ``set_arrays``.
    Differs:
        A transform_param has no effect; set_arrays warns of it, as in Caffe. The position in
         the arrays is part of a snapshot, the arrays are not.
    """

    bottoms = (0, 0)
    tops = (2, 2)

    def setup(self) -> None:
        param = self.spec.memory_data_param
        for field in ("batch_size", "channels", "height", "width"):
            if not getattr(param, field):
                raise LayerError(f"{_PARAM} needs a {field} of 1 or more", (_PARAM,))
        self.batch_size = int(param.batch_size)
        self.item_shape = (int(param.channels), int(param.height), int(param.width))
        self.position = 0
        self._arrays: tuple[np.ndarray, np.ndarray] | None = None

    def set_arrays(self, data: np.ndarray, labels: np.ndarray) -> None:
        """Set the items (n, channels, height, width) and their labels (n), and start at the first.

        n is a multiple of batch_size. Arrays of float32 are not copied: later changes of the
        caller are visible.

        Raises:
            LayerError: for other shapes or types.
        """
        if self.spec.HasField("transform_param"):
            warnings.warn(
                f'layer "{self.name}" ({self.type}): its transform_param does nothing, as in '
                "Caffe: arrays are taken as they are",
                stacklevel=2,
            )
        items = self._numbers(data, "data")
        if items.ndim != 4 or items.shape[1:] != self.item_shape:
            raise self._refusal(
                f"expected data of shape n x {' x '.join(map(str, self.item_shape))}, got "
                f"{shape_text(items.shape)}"
            )
        marks = self._numbers(labels, "labels")
        if marks.size != len(items) or marks.shape[:1] != items.shape[:1]:
            raise self._refusal(
                f"expected one label for each of {len(items)} item(s), got labels of shape "
                f"{shape_text(marks.shape)}"
            )
        if not len(items) or len(items) % self.batch_size:
            raise self._refusal(
                f"expected a multiple of batch_size {self.batch_size} items, got {len(items)}"
            )
        self._arrays = items, marks.reshape(-1)
        self.position = 0

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [(self.batch_size, *self.item_shape), (self.batch_size,)]

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        if self._arrays is None:
            raise self._refusal("has no arrays yet; call set_arrays (net.set_input_arrays) first")
        start = self.position % len(self._arrays[0])
        for top, array in zip(tops, self._arrays, strict=True):
            self.device.put(array[start : start + self.batch_size], top)
        self.position = start + self.batch_size

    def state(self) -> dict[str, Any]:
        return {"position": self.position}

    def restore(self, state: dict[str, Any]) -> None:
        # Round down to whole batches: batch_size may differ.
        self.position = int(state["position"]) // self.batch_size * self.batch_size

    def _numbers(self, given: Any, what: str) -> np.ndarray:
        array = np.asarray(given)
        if array.dtype.kind not in "fiub":
            raise self._refusal(f"expected numbers as {what}, got {array.dtype}")
        return np.asarray(array, np.float32)

    def _refusal(self, message: str) -> LayerError:
        """The error with the layer's name, since no plan adds it."""
        return LayerError(f'layer "{self.name}" ({self.type}): {message}')

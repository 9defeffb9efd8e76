"""MemoryData: batches of arrays that the program hands over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, shape_text
from protonet.layers.registry import register

_PARAM = "memory_data_param"
_AXES = ("batch_size", "channels", "height", "width")


@register("MemoryData")
class MemoryData(Layer):
    """Batch after batch of arrays in memory, which ``set_arrays`` hands over, without end.

    Bottom:
        none.
    Top:
        0: N x C x H x W; 1: N, labels.
    Params:
        none.
    Spec:
        memory_data_param: batch_size, channels, height, width (all required).
    Raises:
        LayerError: for a missing or zero axis, with a transform_param, for arrays that do not
        fit, and when it runs before arrays were given.
    Differs:
        Arrays are not transformed: Caffe does that only for images that C++ adds. The place in
        the arrays is part of a snapshot; the arrays are not.
    """

    bottoms = (0, 0)
    tops = (2, 2)

    def setup(self) -> None:
        param = self.spec.memory_data_param
        for field in _AXES:
            if not getattr(param, field):
                raise LayerError(
                    f"{_PARAM} needs {', '.join(_AXES)}, each of 1 or more: {field} is missing",
                    (_PARAM, field) if param.HasField(field) else (_PARAM,),
                )
        if self.spec.HasField("transform_param"):
            raise LayerError(
                "arrays in memory are not transformed: hand them over as they should be",
                ("transform_param",),
            )
        self.shape: Shape = tuple(int(getattr(param, field)) for field in _AXES)
        self._arrays: tuple[np.ndarray, np.ndarray] | None = None
        self.position = 0

    def set_arrays(self, data: np.ndarray, labels: np.ndarray) -> None:
        """Take these arrays from now on, beginning with their first item. They are not copied.

        Args:
            data: M x C x H x W, M a multiple of the batch size.
            labels: M values, in any shape.

        Raises:
            LayerError: for arrays of other shapes.
        """
        data, labels = np.asarray(data), np.asarray(labels).reshape(-1)
        size = self.shape[0]
        if data.shape[1:] != self.shape[1:]:
            raise self._refusal(f"expected items of {shape_text(self.shape[1:])}", data.shape)
        if not len(data) or len(data) % size:
            raise self._refusal(f"expected a multiple of {size} items, the batch size", data.shape)
        if len(labels) != len(data):
            raise self._refusal(f"expected {len(data)} labels", labels.shape)
        self._arrays, self.position = (data, labels), 0

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [self.shape, self.shape[:1]]

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        if self._arrays is None:
            raise LayerError(
                f'layer "{self.name}" (MemoryData) has no arrays yet',
                (),
                "net.set_input_arrays(data, labels) hands them over",
            )
        start, size = self.position, self.shape[0]
        for array, top in zip(self._arrays, tops, strict=True):
            self.device.put(array[start : start + size].astype(self.dtype, copy=False), top)
        self.position = (start + size) % len(self._arrays[0])

    def state(self) -> dict[str, Any]:
        return {"position": self.position}

    def restore(self, state: dict[str, Any]) -> None:
        self.position = int(state["position"])

    def _refusal(self, expected: str, shape: Shape) -> LayerError:
        return LayerError(f'layer "{self.name}" (MemoryData): {expected}, got {shape_text(shape)}')

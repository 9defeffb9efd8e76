"""The API of Caffe's Python module for users' layers: blobs, and the base class of layers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from protonet.blob import Shape


class Blob:
    """A blob of Caffe's Python module: ``data``, ``diff`` and a shape that may change.

    ``data`` and ``diff`` are writable NumPy arrays; zeros until they are bound to others.
    """

    def __init__(self, *shape: int) -> None:
        self._shape: Shape = tuple(int(extent) for extent in shape)
        self._data: np.ndarray | None = None
        self._diff: np.ndarray | None = None

    @property
    def data(self) -> np.ndarray:
        """The values."""
        if self._data is None:
            self._data = np.zeros(self._shape, np.float32)
        return self._data

    @property
    def diff(self) -> np.ndarray:
        """The gradient."""
        if self._diff is None:
            self._diff = np.zeros(self._shape, np.float32)
        return self._diff

    def bind(self, data: np.ndarray | None, diff: np.ndarray | None) -> None:
        """Use these arrays from now on; None for private zeros."""
        given = data if data is not None else diff
        if given is not None:
            self._shape = tuple(given.shape)
        self._data, self._diff = data, diff

    def reshape(self, *shape: int) -> None:
        """Change the shape; values are kept if the count is the same."""
        self._shape = tuple(int(extent) for extent in shape)
        for name in ("_data", "_diff"):
            array = getattr(self, name)
            if array is not None and array.shape != self._shape:
                same = array.size == math.prod(self._shape)
                setattr(self, name, array.reshape(self._shape) if same else None)

    @property
    def shape(self) -> Shape:
        """The extents."""
        return self._shape

    @property
    def count(self) -> int:
        """The number of values."""
        return math.prod(self._shape)

    @property
    def num(self) -> int:
        """The first of the four axes that Caffe's blobs once had."""
        return self._legacy(0)

    @property
    def channels(self) -> int:
        """The second of the four axes."""
        return self._legacy(1)

    @property
    def height(self) -> int:
        """The third of the four axes."""
        return self._legacy(2)

    @property
    def width(self) -> int:
        """The last of the four axes."""
        return self._legacy(3)

    def _legacy(self, axis: int) -> int:
        if len(self._shape) > 4:
            raise ValueError(f"a blob of {len(self._shape)} axes has no num, channels, ...")
        return self._shape[axis] if axis < len(self._shape) else 1


class BlobVec(Sequence[Blob]):
    """The parameters of a layer."""

    def __init__(self, blobs: Sequence[Blob] = ()) -> None:
        self._blobs = list(blobs)

    def add_blob(self, *shape: int) -> None:
        """Append a parameter; ``blobs[-1].data[...]`` may then be filled."""
        self._blobs.append(Blob(*shape))

    def __getitem__(self, index: Any) -> Any:
        return self._blobs[index]

    def __len__(self) -> int:
        return len(self._blobs)

    def __iter__(self) -> Iterator[Blob]:
        return iter(self._blobs)


class Layer:
    """Base of layers written in Python for Caffe's ``type: "Python"``.

    ``param_str`` and ``phase`` are set before ``setup``; ``blobs.add_blob(...)`` in ``setup``
    makes parameters. Bottoms and tops are lists of ``Blob``.
    """

    type = "Python"

    def __init__(self, param: Any = None) -> None:
        self.layer_param = param
        self.param_str = ""
        self.phase = 0
        self.blobs = BlobVec()

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Once, before the first ``reshape``: read ``param_str``, add parameters."""

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Before each ``forward``: ``reshape`` the tops."""
        raise NotImplementedError(f"{type(self).__name__} has no reshape(bottom, top)")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Write ``top[i].data``."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(bottom, top)")

    def backward(
        self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        """Write ``bottom[i].diff`` where ``propagate_down[i]``; add to ``blobs[i].diff``."""
        raise NotImplementedError(f"{type(self).__name__} has no backward(top, down, bottom)")

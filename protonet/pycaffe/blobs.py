"""The blobs and layers of a net, with arrays that the next pass reads."""

from __future__ import annotations

import numpy as np

from protonet import blob as graph
from protonet.blob import Array, Shape
from protonet.device import Device
from protonet.layers.base import Layer
from protonet.layers.limits import check_limits
from protonet.layers.python_api import Blob, BlobVec


class NetBlob(Blob):
    """A blob or parameter of a net.

    On the CPU ``data`` and ``diff`` are the arrays of the net. On a GPU they are copies; the
    next pass copies back those that were modified. ``reshape`` of an input is applied by
    ``Net.reshape`` or the next pass; until then ``data`` is an array of the new shape. The
    next pass gives a blob that a layer makes the shape that the layer gives it.
    """

    def __init__(self, blob: graph.Blob, device: Device) -> None:
        super().__init__()
        self._blob = blob
        self._device = device
        self._copies: dict[str, np.ndarray] = {}
        self._handed_out: dict[str, np.ndarray] = {}
        self.wish: np.ndarray | None = None

    @property
    def data(self) -> np.ndarray:
        """The values."""
        return self.wish if self.wish is not None else self._shown("data", self._blob.data)

    @property
    def diff(self) -> np.ndarray:
        """The gradient; unused zeros where none reaches this blob."""
        if self._blob.diff is None:
            if "diff" not in self._copies or self._copies["diff"].shape != self.shape:
                self._copies["diff"] = np.zeros(self.shape, self._blob.data.dtype)
            return self._copies["diff"]
        return self._shown("diff", self._blob.diff)

    @property
    def shape(self) -> Shape:
        """The extents."""
        return tuple(self.wish.shape if self.wish is not None else self._blob.data.shape)

    @property
    def _shape(self) -> Shape:
        return self.shape

    @_shape.setter
    def _shape(self, _: Shape) -> None:
        """A net's blob has the shape of its array."""

    def reshape(self, *shape: int) -> None:
        """Request another shape.

        Raises:
            ValueError: for a parameter: its shape follows from its layer.
            LayerError: for more than a blob can have.
        """
        wanted = tuple(int(extent) for extent in shape)
        check_limits([wanted], ())
        if wanted == self.shape:
            return
        if isinstance(self._blob, graph.Param):
            raise ValueError(
                f"parameter '{self._blob.name}' has the shape that its layer gives it, "
                f"{self.shape}, not {wanted}"
            )
        same = wanted == tuple(self._blob.data.shape)
        self.wish = None if same else _fitted(self.data, wanted)

    def flush(self) -> None:
        """Copy back the host copies that were modified, and drop all of them.

        An unmodified view of another blob must not undo what was written there.
        """
        for kind, before in self._handed_out.items():
            host, array = self._copies[kind], getattr(self._blob, kind)
            same_shape = array is not None and array.shape == host.shape
            if same_shape and not np.array_equal(host, before, equal_nan=True):
                self._device.put(host, array)
        self._copies, self._handed_out = {}, {}

    def _shown(self, kind: str, array: Array) -> np.ndarray:
        if self._device.is_cpu:
            shown: np.ndarray = array
            return shown
        if kind not in self._copies or self._copies[kind].shape != array.shape:
            self._handed_out[kind] = np.array(self._device.get(array))
            self._copies[kind] = self._handed_out[kind].copy()
        return self._copies[kind]


def _fitted(values: np.ndarray, shape: Shape) -> np.ndarray:
    """Values in another shape: the first ones, as in the memory of Caffe's blobs, unless there are
    too few, for which it takes new memory.
    """
    fitted = np.zeros(shape, values.dtype)
    if fitted.size <= values.size:
        fitted.reshape(-1)[:] = values.reshape(-1)[: fitted.size]
    return fitted


class NetLayer:
    """A layer of a net: its type and parameters. Of ``type: "Python"``, ``Net.layers`` has the
    user's own object instead.
    """

    def __init__(self, layer: Layer, blobs: BlobVec) -> None:
        self.layer = layer
        self.type = layer.type
        self.blobs = blobs

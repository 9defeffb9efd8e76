"""New shapes of the inputs of ``caffe.Net``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from protonet.errors import LayerError
from protonet.graph.net import Net
from protonet.pycaffe.blobs import NetBlob


class Shaped:
    """Applies the shapes that were requested of input blobs.

    In Caffe each layer takes the shape of its bottoms when it runs, so a pass to an inner layer is
    possible with images that a later one cannot take (net.cpp, ``ForwardFromTo``). Here all layers
    take their shapes at once where they can.
    """

    _net: Net
    blobs: Mapping[str, NetBlob]
    inputs: list[str]
    layers: Sequence[Any]
    _shaped: int
    """The number of the last layer that has the shape of its bottoms."""

    def reshape(self) -> None:
        """Apply the requested input shapes, and reshape all blobs.

        Raises:
            LayerError: naming the layer that cannot take its new bottoms.
        """
        self._take_shapes(len(self.layers) - 1)

    def settle(self, last: int | None = None) -> None:
        """Apply requested shapes and copy back modified copies, as a pass to the layer of this
        number does first; None for the last one.
        """
        self._take_shapes(len(self.layers) - 1 if last is None else last)
        self._flush()

    def _take_shapes(self, last: int) -> None:
        """Apply the requested input shapes to all layers, or to those up to number ``last`` if one
        behind it cannot take them.
        """
        wishes = {}
        for name, blob in self.blobs.items():
            if blob.wish is not None and name in self.inputs:
                wishes[name] = blob.wish
            blob.wish = None if name not in self.inputs else blob.wish
        if not wishes and last <= self._shaped:
            return
        self._flush()
        shapes = {name: wish.shape for name, wish in wishes.items()}
        self._shaped = self._reshape_net(shapes, last)
        for name, wish in wishes.items():
            self.blobs[name].wish = None
            self._net.device.put(wish, self._net.blobs[name].data)

    def _reshape_net(self, shapes: Mapping[str, tuple[int, ...]], last: int) -> int:
        """Reshape the net; the number of the last layer that has the shape of its bottoms."""
        end = len(self.layers) - 1
        try:
            self._net.reshape(shapes)
        except LayerError:
            if last == end:
                raise
            self._net.reshape(shapes, last)
            return last
        return end

    def _flush(self) -> None:
        """Copy back modified host copies."""
        raise NotImplementedError

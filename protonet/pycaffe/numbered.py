"""The attributes of ``caffe.Net`` that refer to blobs by index."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from protonet.graph import net as graph


class Numbered:
    """What scripts that walk a net ask for: blobs and layers in the order of the net, and which
    blobs are whose, as places in ``_blob_names``.
    """

    inputs: list[str]
    outputs: list[str]
    blobs: Mapping[str, Any]
    bottom_names: Mapping[str, list[str]]
    top_names: Mapping[str, list[str]]
    _layer_names: list[str]
    _net: graph.Net

    @property
    def blob_loss_weights(self) -> OrderedDict[str, float]:
        """The weight in the objective of every blob."""
        last = self._net.plan.last
        return OrderedDict((name, last[name].loss_weight) for name in self.blobs)

    @property
    def _blob_names(self) -> list[str]:
        return list(self.blobs)

    @property
    def _blobs(self) -> list[Any]:
        return list(self.blobs.values())

    @property
    def _blob_loss_weights(self) -> list[float]:
        return list(self.blob_loss_weights.values())

    @property
    def _inputs(self) -> list[int]:
        return self._places(self.inputs)

    @property
    def _outputs(self) -> list[int]:
        return self._places(self.outputs)

    def _bottom_ids(self, layer: int) -> list[int]:
        """The blobs that the layer of this number reads."""
        return self._places(self.bottom_names[self._layer_names[layer]])

    def _top_ids(self, layer: int) -> list[int]:
        """The blobs that the layer of this number makes."""
        return self._places(self.top_names[self._layer_names[layer]])

    def _places(self, names: list[str]) -> list[int]:
        every = self._blob_names
        return [every.index(name) for name in names]

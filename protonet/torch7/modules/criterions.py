"""Losses."""

from __future__ import annotations

from protonet.torch7.builder import Blob, NetBuilder, Value
from protonet.torch7.modules.base import Criterion, module


@module("nn.MSECriterion")
class MSECriterion(Criterion):
    """The mean of the squared differences of all elements, or their sum."""

    def construct(self, sizeAverage: bool | None = None) -> None:
        self["sizeAverage"] = True if sizeAverage is None else sizeAverage

    def loss(self, net: NetBuilder, x: Value, target: Value) -> Blob:
        blob, wanted = self.one(x), self.one(target)
        items = blob.shape[0]
        count = 1
        for extent in blob.shape[1:]:
            count *= extent
        # EuclideanLoss is half the sum, divided by the items
        weight = 2 / count if self.get("sizeAverage") else 2 * items
        return net.layer("EuclideanLoss", [blob, wanted], loss_weight=[weight])

"""Losses of pairs: of a table of two inputs."""

from __future__ import annotations

import math

from protonet.errors import LayerError
from protonet.torch7.builder import Blob, NetBuilder, Value
from protonet.torch7.modules.base import Criterion, module
from protonet.torch7.modules.criterions import ElementwiseCriterion, average_or_sum
from protonet.torch7.modules.distances import pair_of
from protonet.torch7.objects import Table, Tensor


def _difference(net: NetBuilder, a: Blob, b: Blob) -> Blob:
    return net.layer("Eltwise", [a, b], eltwise_param={"operation": "SUM", "coeff": [1, -1]})


@module("nn.CosineEmbeddingCriterion")
class CosineEmbeddingCriterion(ElementwiseCriterion):
    """``1 - cos`` for pairs that are alike (target 1), ``max(0, cos - margin)`` for others (-1)."""

    operation = "COSINE_EMBEDDING"

    def construct(self, margin: float | None = None) -> None:
        self["margin"] = 0 if margin is None else margin
        self["gradInput"] = Table.of([Tensor(self.session.kind), Tensor(self.session.kind)])
        self["sizeAverage"] = True

    def loss(self, net: NetBuilder, x: Value, target: Value) -> Blob:
        a, b = pair_of(self, x)
        axis = len(a.shape) - 1
        cosine = net.layer("CosineSimilarity", [a, b], cosine_similarity_param={"axis": axis})
        return self.elementwise(net, cosine, self.values(net, target))


@module("nn.MarginRankingCriterion")
class MarginRankingCriterion(ElementwiseCriterion):
    """``max(0, margin - y (a - b))`` for targets of 1 and -1."""

    operation = "RANKING"

    def construct(self, margin: float | None = None) -> None:
        self["margin"] = 1 if margin is None else margin
        self["gradInput"] = Table.of([self.tensor(1), self.tensor(1)])
        self["sizeAverage"] = True

    def loss(self, net: NetBuilder, x: Value, target: Value) -> Blob:
        a, b = pair_of(self, x, axes=None)
        difference = _difference(net, a, b)
        return self.elementwise(net, difference, self.values(net, target), "BATCH_SIZE")


@module("nn.L1HingeEmbeddingCriterion")
class L1HingeEmbeddingCriterion(ElementwiseCriterion):
    """The L1 distance of a pair (target 1), or ``max(0, margin - distance)`` (-1)."""

    operation = "HINGE_EMBEDDING"

    def construct(self, margin: float | None = None) -> None:
        self["margin"] = 1 if margin is None else margin
        self["gradInput"] = Table.of([Tensor(self.session.kind), Tensor(self.session.kind)])

    def loss(self, net: NetBuilder, x: Value, target: Value) -> Blob:
        a, b = pair_of(self, x, axes=None)
        wanted = self.values(net, target)
        if math.prod(wanted.shape) != 1:
            raise LayerError(f"expected one pair with one target, got targets of {wanted}")
        param = {"operation": "ASUM", "axis": 0}
        distance = net.layer("Reduction", _difference(net, a, b), reduction_param=param)
        return self.elementwise(net, distance, wanted)


@module("nn.DistanceRatioCriterion")
class DistanceRatioCriterion(Criterion):
    """``log(1 + exp(a - b))`` of the distances of like and of unlike samples, without a target."""

    def construct(self, sizeAverage: bool | None = None) -> None:
        self["sizeAverage"] = average_or_sum(sizeAverage)

    def loss(self, net: NetBuilder, x: Value, target: Value) -> Blob:
        a, b = pair_of(self, x, axes=None)
        terms = net.layer("BNLL", _difference(net, a, b))
        average = bool(self.get("sizeAverage"))
        return net.layer(
            "Reduction",
            terms,
            reduction_param={"operation": "MEAN" if average else "SUM", "axis": 0},
            loss_weight=[math.prod(a.shape[1:]) if average else 1],
        )

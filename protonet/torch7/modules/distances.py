"""Distances and similarities of two inputs."""

from __future__ import annotations

import math

from protonet.errors import LayerError
from protonet.torch7.builder import Blob, NetBuilder, Value
from protonet.torch7.modules.base import Module, module
from protonet.torch7.objects import Table, Tensor


def pair_of(made: Module, x: Value, axes: tuple[int, ...] | None = (1, 2)) -> tuple[Blob, Blob]:
    """The two inputs of a table, of one shape; ``axes`` are the numbers of axes that they may have.

    Raises:
        LayerError: when it is no table of two, or their shapes do not fit.
    """
    table = made.several(x)
    if len(table) != 2:
        raise LayerError(f"expected a table of 2 tensors, got {len(table)}")
    a, b = (made.one(each) for each in table)
    if a.shape != b.shape:
        raise LayerError(f"expected two tensors of one shape, got {a} and {b}")
    if not a.shape or (axes is not None and len(a.shape) not in axes):
        raise LayerError(f"expected vectors or matrices, got {a}")
    return a, b


def _rows(made: Module, net: NetBuilder, x: Value) -> list[Blob]:
    """Both inputs as matrices of a row for each item."""
    pair = pair_of(made, x)
    if len(pair[0].shape) == 2:
        return list(pair)
    shape = {"shape": {"dim": [1, -1]}}
    return [net.layer("Reshape", each, reshape_param=shape) for each in pair]


class _OfPairs(Module):
    """A value for each pair of rows."""

    learned = ()

    def construct(self) -> None:
        self["gradInput"] = Table.of([Tensor(self.session.kind), Tensor(self.session.kind)])


@module("nn.CosineDistance")
class CosineDistance(_OfPairs):
    """The cosine of the angle between two vectors."""

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return net.layer("CosineSimilarity", _rows(self, net, x))


@module("nn.DotProduct")
class DotProduct(_OfPairs):
    """The sum of the products of two vectors."""

    def layers(self, net: NetBuilder, x: Value) -> Value:
        products = net.layer("Eltwise", _rows(self, net, x), eltwise_param={"operation": "PROD"})
        return net.layer("Reduction", products, reduction_param={"axis": 1})


@module("nn.PairwiseDistance")
class PairwiseDistance(Module):
    """The p-norm of the difference of two vectors."""

    learned = ()

    def construct(self, p: float | None = None) -> None:
        self["gradInput"] = Table()
        self["diff"] = Tensor(self.session.kind)
        self["norm"] = 2 if p is None else p
        if not 0 < self.number("norm") < math.inf:
            raise LayerError(f"nn.PairwiseDistance: expected a p above 0, got {p}")

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return net.layer(
            "PairwiseDistance", _rows(self, net, x), pairwise_distance_param={"p": self["norm"]}
        )

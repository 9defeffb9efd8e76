"""Sums, means and extremes along a dimension."""

from __future__ import annotations

from typing import Any

from protonet.torch7.arguments import flag, whole
from protonet.torch7.axes import dimension, insert
from protonet.torch7.builder import Blob, NetBuilder, Value
from protonet.torch7.modules.base import Module, module


class Reducing(Module):
    """A module that reduces a dimension; ``nInputDims`` is the number of those of an item."""

    def reduced(self, net: NetBuilder, x: Value, operation: str) -> tuple[Blob, int]:
        """The input, reduced, and the axis that it has no more; a vector leaves one element."""
        blob = self.one(x)
        item = None if self.get("nInputDims") is None else self.integer("nInputDims")
        axis = dimension(blob, self.integer("dimension", 1), item)
        param: dict[str, Any] = {"operation": operation, "axis": axis}
        if axis < len(blob.shape) - 1:  # Caffe reduces all axes that follow
            param["num_axes"] = 1
        y = net.layer("Reduction", blob, reduction_param=param)
        return (insert(net, y, 0) if not y.shape else y), axis


class Adding(Reducing):
    """A sum, or with ``sizeAverage`` a mean. The dimension is left out, unless ``squeeze`` is
    false.
    """

    def fill(
        self,
        dimension: int | None = None,
        nInputDims: int | None = None,
        sizeAverage: bool | None = None,
        squeeze: bool | None = None,
    ) -> None:
        """Set the fields."""
        self["dimension"] = whole("dimension", dimension, 1)
        self["nInputDims"] = nInputDims
        self["sizeAverage"] = bool(sizeAverage)
        self["squeeze"] = flag("squeeze", squeeze, True)

    def layers(self, net: NetBuilder, x: Value) -> Value:
        y, axis = self.reduced(net, x, "MEAN" if self.get("sizeAverage") else "SUM")
        kept = self.get("squeeze", True) is False and len(self.one(x).shape) > 1
        return insert(net, y, axis) if kept else y


@module("nn.Sum")
class Sum(Adding):
    """The sum along a dimension, or the mean."""

    def construct(
        self,
        dimension: int | None = None,
        nInputDims: int | None = None,
        sizeAverage: bool | None = None,
        squeeze: bool | None = None,
    ) -> None:
        self.fill(dimension, nInputDims, sizeAverage, squeeze)


@module("nn.Mean")
class Mean(Adding):
    """The mean along a dimension."""

    def construct(self, dimension: int | None = None, nInputDims: int | None = None) -> None:
        self.fill(dimension, nInputDims, True)


class Extremum(Reducing):
    """The largest or smallest along a dimension; of equal values the first gets the gradient."""

    def construct(self, dimension: int | None = None, nInputDims: int | None = None) -> None:
        self["dimension"] = whole("dimension", dimension, 1)
        self["nInputDims"] = nInputDims


@module("nn.Max")
class Max(Extremum):
    """The largest along a dimension."""

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return self.reduced(net, x, "MAX")[0]


@module("nn.Min")
class Min(Extremum):
    """The smallest along a dimension."""

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return self.reduced(net, x, "MIN")[0]

"""Losses of each value and its target."""

from __future__ import annotations

import math
from typing import Any

from protonet.errors import LayerError
from protonet.torch7.builder import Blob, NetBuilder, Value
from protonet.torch7.modules.base import Criterion, module
from protonet.torch7.objects import Tensor


def average_or_sum(sizeAverage: Any) -> Any:
    """The field ``sizeAverage``: true unless something else is given."""
    return True if sizeAverage is None else sizeAverage


def weights_of(criterion: Criterion, weights: Any) -> None:
    """Set the field ``weights``, if some are given.

    Raises:
        LayerError: for anything else than a tensor with one axis.
    """
    if weights is None:
        return
    if not isinstance(weights, Tensor) or len(weights.shape) != 1:
        found = "x".join(map(str, weights.shape)) if isinstance(weights, Tensor) else weights
        raise LayerError(
            f"{criterion.object.typename}: weights must be a tensor with one axis, got {found}"
        )
    criterion["weights"] = weights


class ElementwiseCriterion(Criterion):
    """A function of each element and its target: the mean over all elements, or the sum."""

    operation = ""

    def loss(self, net: NetBuilder, x: Value, target: Value) -> Blob:
        return self.elementwise(net, self.one(x), self.values(net, target))

    def elementwise(self, net: NetBuilder, x: Blob, target: Blob, mean: str = "FULL") -> Blob:
        """The layer; ``mean`` is what an average divides by."""
        param: dict[str, Any] = {"operation": self.operation}
        if self.get("margin") is not None:
            param["margin"] = self.number("margin")
        weights = self.get("weights")
        if weights is not None:
            param["weight"] = [float(value) for value in self.tensor_field("weights").array]
            if len(target.shape) == 1 and len(x.shape) > 1:
                x = net.layer("Reshape", x, reshape_param={"shape": {"dim": [-1]}})
        fields: dict[str, Any] = {"elementwise_loss_param": param}
        if not self.get("sizeAverage"):
            fields["loss_param"] = {"normalization": "NONE"}
        elif mean != "FULL":
            fields["loss_param"] = {"normalization": mean}
        return net.layer("ElementwiseLoss", [x, target], **fields)

    def values(self, net: NetBuilder, target: Value) -> Blob:
        """The target, as Torch7 has it."""
        return net.as_in_torch(self.one(target))


class _Averaged(ElementwiseCriterion):
    """With the argument whether to average."""

    def construct(self, sizeAverage: Any = None) -> None:
        self["sizeAverage"] = average_or_sum(sizeAverage)


class SquaresCriterion(ElementwiseCriterion):
    """The squared differences."""

    operation = "SQUARE"

    def squares(self, net: NetBuilder, x: Blob, target: Blob) -> Blob:
        """Caffe's layer where it fits: half the sum over the items, times what is missing."""
        rows = bool(x.shape) and x.shape[:1] == target.shape[:1]
        if not rows or not self.get("sizeAverage"):
            return self.elementwise(net, x, target)
        return net.layer("EuclideanLoss", [x, target], loss_weight=[2 / math.prod(x.shape[1:])])


@module("nn.MSECriterion")
class MSECriterion(SquaresCriterion):
    """The mean of the squared differences of all elements, or their sum."""

    def construct(self, sizeAverage: Any = None) -> None:
        self["sizeAverage"] = average_or_sum(sizeAverage)

    def loss(self, net: NetBuilder, x: Value, target: Value) -> Blob:
        return self.squares(net, self.one(x), self.values(net, target))


@module("nn.AbsCriterion")
class AbsCriterion(_Averaged):
    """The mean of the absolute differences, or their sum."""

    operation = "ABSOLUTE"


@module("nn.SmoothL1Criterion")
class SmoothL1Criterion(_Averaged):
    """Half the square of differences below 1, the absolute value less one half beyond."""

    operation = "SMOOTH_L1"


@module("nn.BCECriterion")
class BCECriterion(ElementwiseCriterion):
    """The cross entropy of probabilities and targets from 0 to 1."""

    operation = "CROSS_ENTROPY"

    def construct(self, weights: Any = None, sizeAverage: Any = None) -> None:
        self["sizeAverage"] = average_or_sum(sizeAverage)
        weights_of(self, weights)


@module("nn.MultiLabelSoftMarginCriterion")
class MultiLabelSoftMarginCriterion(ElementwiseCriterion):
    """The cross entropy of the sigmoid of scores and targets from 0 to 1."""

    operation = "SIGMOID_CROSS_ENTROPY"

    def construct(self, weights: Any = None, sizeAverage: Any = None) -> None:
        self["sizeAverage"] = average_or_sum(sizeAverage)
        weights_of(self, weights)
        self["sigmoid"] = self.plain("nn.Sigmoid")

    def loss(self, net: NetBuilder, x: Value, target: Value) -> Blob:
        blob, wanted = self.one(x), self.values(net, target)
        if self.get("weights") is not None or not blob.shape:
            return self.elementwise(net, blob, wanted)
        mode = "FULL" if self.get("sizeAverage") else "NONE"
        return net.layer(
            "SigmoidCrossEntropyLoss", [blob, wanted], loss_param={"normalization": mode}
        )


@module("nn.DistKLDivCriterion")
class DistKLDivCriterion(ElementwiseCriterion):
    """The divergence of probabilities from logarithms of probabilities."""

    operation = "KL_DIVERGENCE"

    def construct(self) -> None:
        self["sizeAverage"] = True


@module("nn.SoftMarginCriterion")
class SoftMarginCriterion(ElementwiseCriterion):
    """``log(1 + exp(-x y))`` for targets of 1 and -1."""

    operation = "SOFT_MARGIN"

    def construct(self) -> None:
        self["sizeAverage"] = True


class _WithMargin(ElementwiseCriterion):
    """With a margin of 1, or another."""

    def construct(self, margin: float | None = None) -> None:
        self["sizeAverage"] = True
        self["margin"] = 1 if margin is None else margin


@module("nn.MarginCriterion")
class MarginCriterion(_WithMargin):
    """``max(0, margin - x y)`` for targets of 1 and -1."""

    operation = "MARGIN"


@module("nn.HingeEmbeddingCriterion")
class HingeEmbeddingCriterion(_WithMargin):
    """``x`` where the target is 1, ``max(0, margin - x)`` where it is -1."""

    operation = "HINGE_EMBEDDING"

    def loss(self, net: NetBuilder, x: Value, target: Value) -> Blob:
        if self.get("sizeAverage") is None:
            self["sizeAverage"] = True  # in old files it is missing
        return super().loss(net, x, target)


@module("nn.WeightedMSECriterion")
class WeightedMSECriterion(SquaresCriterion):
    """The mean squared difference of the input and of the target times weights."""

    def construct(self, w: Tensor) -> None:
        self["sizeAverage"] = True
        if not isinstance(w, Tensor):
            raise LayerError(f"nn.WeightedMSECriterion: expected a tensor of weights, got {w}")
        self["weight"] = Tensor.of(w.array, w.kind)

    def loss(self, net: NetBuilder, x: Value, target: Value) -> Blob:
        blob, wanted, weight = self.one(x), self.values(net, target), self.tensor_field("weight")
        of_item = len(blob.shape) - 1 == len(weight.shape)
        if weight.shape != blob.shape[of_item:]:
            found = "x".join(map(str, weight.shape))
            raise LayerError(f"weights are {found}, but the input is {blob}")
        if wanted.shape != blob.shape:
            shape = {"dim": list(blob.shape)}
            wanted = net.layer("Reshape", wanted, reshape_param={"shape": shape})
        scaled = net.layer(
            "Scale",
            wanted,
            weights=[self.bound("weight")],
            scale_param={"axis": int(of_item), "num_axes": -1},
        )
        return self.squares(net, blob, scaled)


@module("nn.SpatialAutoCropMSECriterion")
class SpatialAutoCropMSECriterion(MSECriterion):
    """The mean squared difference of the input and of the middle of a larger target."""

    def loss(self, net: NetBuilder, x: Value, target: Value) -> Blob:
        blob, wanted = self.one(x), self.values(net, target)
        (height, width), (rows, columns) = blob.shape[-2:], wanted.shape[-2:]
        axes = len(blob.shape)
        fits = axes in (3, 4) and len(wanted.shape) == axes and height <= rows and width <= columns
        if not fits:
            raise LayerError(
                f"expected 3 or 4 axes and a target of the input's size or larger, got {blob} and "
                f"a target of {wanted}"
            )
        if (height, width) != (rows, columns):
            offsets = [(rows - height) // 2, (columns - width) // 2]
            wanted = net.layer(
                "Crop", [wanted, blob], crop_param={"axis": axes - 2, "offset": offsets}
            )
        return self.squares(net, blob, wanted)


@module("nn.L1Cost")
class L1Cost(Criterion):
    """The sum of the absolute values of all elements, without a target."""

    def loss(self, net: NetBuilder, x: Value, target: Value) -> Blob:
        param = {"operation": "ASUM", "axis": 0}
        return net.layer("Reduction", self.one(x), reduction_param=param, loss_weight=[1])

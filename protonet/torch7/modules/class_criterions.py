"""Losses of scores or probabilities of classes, which count from 1 in Torch7."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from protonet.errors import LayerError
from protonet.torch7.builder import Blob, NetBuilder, Value
from protonet.torch7.modules.base import Criterion, create, module
from protonet.torch7.modules.criterions import (
    SquaresCriterion,
    average_or_sum,
    weights_of,
)
from protonet.torch7.objects import Tensor

_NOT_IGNORED = -100
"""The value of ignoreIndex that no class has."""


def _softmax_scores(net: NetBuilder, x: Blob) -> Blob | None:
    """The input of the LogSoftMax that ``x`` is the output of."""
    producer = net.producer(x)
    if producer is None or producer.type != "LogSoftmax":
        return None
    return net.blob_of(producer)


class _ClassCriterion(Criterion):
    """Base: a loss and, for validation, the accuracy."""

    def start(self, weights: Any, sizeAverage: Any) -> None:
        """Set the fields of the likelihood."""
        self["sizeAverage"] = average_or_sum(sizeAverage)
        weights_of(self, weights)
        self["output_tensor"] = self.tensor(1)
        self["total_weight_tensor"] = self.tensor(1, fill=1)
        self["target"] = Tensor.of(np.zeros(1), "Long")

    def likelihood(
        self, net: NetBuilder, x: Blob, target: Value, axis: int, *, scores: bool = False
    ) -> Blob:
        """The negative likelihood of logarithms of probabilities, or of ``scores``: with their
        softmax if it comes right before.
        """
        labels = net.classes_from_zero(self.one(target))
        before = x if scores else _softmax_scores(net, x)
        fields: dict[str, Any] = {}
        param = self._loss_param(fused=before is not None)
        if param:
            fields["loss_param"] = param
        if axis != 1:
            fields["nll_loss_param" if before is None else "softmax_param"] = {"axis": axis}
        kind = "NLLLoss" if before is None else "SoftmaxWithLoss"
        loss = net.layer(kind, [x if before is None else before, labels], **fields)
        self.accuracy(net, x if before is None else before, labels, axis)
        return loss

    def _loss_param(self, *, fused: bool) -> dict[str, Any]:
        param: dict[str, Any] = {}
        ignored = self.integer("ignoreIndex", _NOT_IGNORED)
        if ignored != _NOT_IGNORED:
            param["ignore_label"] = ignored - 1
        if self.get("weights") is not None:
            param["class_weighting"] = [float(w) for w in self.tensor_field("weights").array]
            if fused:
                param |= {"weight_by_label_freqs": True, "normalization": "WEIGHTS"}
        if not self.get("sizeAverage"):
            param["normalization"] = "NONE"
        return param

    def accuracy(self, net: NetBuilder, scores: Blob, labels: Blob, axis: int) -> None:
        """Add the accuracy: for validation only."""
        param: dict[str, Any] = {} if axis == 1 else {"axis": axis}
        ignored = self.integer("ignoreIndex", _NOT_IGNORED)
        if ignored != _NOT_IGNORED:
            param["ignore_label"] = ignored - 1
        made = net.layer("Accuracy", [scores, labels], accuracy_param=param)
        spec = net.producer(made)
        assert spec is not None
        spec.ClearField("exclude")
        if not param:
            spec.ClearField("accuracy_param")
        spec.include.add(phase="TEST", not_stage=["deploy"])


@module("nn.ClassNLLCriterion")
class ClassNLLCriterion(_ClassCriterion):
    """The negative logarithm of the probability of the target's class."""

    def construct(
        self, weights: Any = None, sizeAverage: Any = None, ignoreIndex: int | None = None
    ) -> None:
        self.start(weights, sizeAverage)
        self["ignoreIndex"] = _NOT_IGNORED if ignoreIndex is None else ignoreIndex

    def loss(self, net: NetBuilder, x: Value, target: Value) -> Blob:
        blob = self.one(x)
        if len(blob.shape) not in (1, 2):
            raise LayerError(f"expected one or two axes, got {blob}")
        return self.likelihood(net, blob, target, len(blob.shape) - 1)


@module("nn.SpatialClassNLLCriterion")
class SpatialClassNLLCriterion(_ClassCriterion):
    """The same for each pixel."""

    def construct(self, weights: Any = None, sizeAverage: Any = None) -> None:
        self.start(weights, sizeAverage)

    def loss(self, net: NetBuilder, x: Value, target: Value) -> Blob:
        blob = self.one(x)
        if len(blob.shape) != 4:
            raise LayerError(f"expected batch x classes x height x width, got {blob}")
        return self.likelihood(net, blob, target, 1)


@module("nn.CrossEntropyCriterion")
class CrossEntropyCriterion(_ClassCriterion):
    """LogSoftMax and ClassNLLCriterion in one."""

    def construct(self, weights: Any = None, sizeAverage: Any = None) -> None:
        self["lsm"] = self.plain("nn.LogSoftMax")
        self["nll"] = create(
            "nn.ClassNLLCriterion", [weights, sizeAverage], self.session, self.object.line
        )
        self["sizeAverage"] = self["oldSizeAverage"] = self["nll"].fields["sizeAverage"]

    def loss(self, net: NetBuilder, x: Value, target: Value) -> Blob:
        blob = self.one(x)
        # axes of extent 1 do not count
        long = [axis for axis, extent in enumerate(blob.shape) if extent != 1]
        if len(long) > 2 or not blob.shape:
            raise LayerError(f"expected scores with one or two axes, got {blob}")
        axis = long[-1] if long else len(blob.shape) - 1
        inner = self.wrap(self["nll"])
        if not isinstance(inner, ClassNLLCriterion):
            raise LayerError(f"nll must be an nn.ClassNLLCriterion, got {inner.object}")
        if self.get("sizeAverage") != self.get("oldSizeAverage"):
            inner["sizeAverage"] = self["sizeAverage"]
        return inner.likelihood(net, blob, target, axis, scores=True)


@module("nn.MultiMarginCriterion")
class MultiMarginCriterion(_ClassCriterion):
    """The score of the target's class must exceed all others by a margin."""

    def construct(
        self, p: int | None = None, weights: Any = None, margin: float | None = None
    ) -> None:
        if p not in (None, 1, 2):
            raise LayerError(f"nn.MultiMarginCriterion: expected p of 1 or 2, got {p}")
        self["p"] = 1 if p is None else p
        self["margin"] = 1 if margin is None else margin
        self["sizeAverage"] = True
        weights_of(self, weights)

    def loss(self, net: NetBuilder, x: Value, target: Value) -> Blob:
        blob = self.one(x)
        if len(blob.shape) not in (1, 2):
            raise LayerError(f"expected a vector or a matrix, got {blob}")
        labels = net.classes_from_zero(self.one(target))
        param = {"p": self.integer("p", 1), "margin": self.number("margin", 1)}
        loss = net.layer(
            "MultiMarginLoss",
            [blob, labels],
            multi_margin_loss_param=param,
            loss_param=self._loss_param(fused=False),
        )
        self.accuracy(net, blob, labels, len(blob.shape) - 1)
        return loss


@module("nn.MultiLabelMarginCriterion")
class MultiLabelMarginCriterion(Criterion):
    """The scores of several classes must exceed those of all others by 1."""

    def construct(self) -> None:
        self["sizeAverage"] = True
        self["isTarget"] = Tensor(self.session.kind)

    def loss(self, net: NetBuilder, x: Value, target: Value) -> Blob:
        blob = self.one(x)
        if len(blob.shape) not in (1, 2):
            raise LayerError(f"expected a vector or a matrix, got {blob}")
        labels = net.classes_from_zero(self.one(target))
        param = {} if self.get("sizeAverage") else {"normalization": "NONE"}
        return net.layer("MultiLabelMarginLoss", [blob, labels], loss_param=param)


def simplex(dimensions: int) -> np.ndarray:
    """The corners of a regular simplex around the origin, of length 1: ``dimensions + 1`` rows."""
    corners = np.zeros((dimensions + 1, dimensions))
    for k in range(dimensions):
        corners[k, k] = 1 if k == 0 else math.sqrt(1 - (corners[k, :k] ** 2).sum())
        corners[k + 1 :, k] = (corners[k, k] ** 2 - 1 - 1 / dimensions) / corners[k, k]
    return corners


@module("nn.ClassSimplexCriterion")
class ClassSimplexCriterion(SquaresCriterion):
    """The mean squared distance to the target class's corner of a simplex."""

    def construct(self, nClasses: int) -> None:
        self["sizeAverage"] = True
        if not isinstance(nClasses, int | float) or nClasses <= 1 or nClasses != int(nClasses):
            raise LayerError(
                f"nn.ClassSimplexCriterion: expected a number of classes above 1, got {nClasses}"
            )
        count = int(nClasses)
        self["nClasses"] = nClasses
        corners = np.pad(simplex(count - 1), ((0, 0), (0, 1)))
        self["simplex"] = Tensor.of(corners, self.session.kind)
        self["_target"] = self.tensor(count)

    def loss(self, net: NetBuilder, x: Value, target: Value) -> Blob:
        blob, classes = self.one(x), self.integer("nClasses")
        labels = net.classes_from_zero(self.one(target))
        corners = net.layer(
            "Embed",
            labels,
            weights=[self.bound("simplex")],
            embed_param={"input_dim": classes, "num_output": classes, "bias_term": False},
        )
        return self.squares(net, blob, corners)

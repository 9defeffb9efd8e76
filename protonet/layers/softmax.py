"""Softmax, alone and with its loss."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.softmax import softmax, softmax_gradient
from protonet.layers.base import Layer, Reads
from protonet.layers.labels import Labels, check_labels
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import LossParameter

_SMALLEST = float(np.finfo(np.float32).tiny)
"""The least probability whose logarithm is taken: a loss of at most 87.33 an item."""


@register("Softmax")
class Softmax(Layer):
    """y = exp(x) / sum(exp(x)) along ``axis``.

    Gradient: dx = y (dy - sum(y dy)), with the sum along ``axis``.

    Bottom:
        x: any shape.
    Top:
        y: the shape of x. May be in place.
    Params:
        none.
    Spec:
        softmax_param: axis (1; negative counts from the end); engine is accepted and makes no
        difference.
    Raises:
        LayerError: for an axis that x has not.
    Differs:
        not at all.
    """

    backward_reads = frozenset({Reads.TOPS})
    in_place = True

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        self._axis(shapes[0])
        return [shapes[0]]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._along = axis = self._axis(shapes[0])
        self._reduced = self.scratch((*shapes[0][:axis], 1, *shapes[0][axis + 1 :]))
        self._product: Array | None = None

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        softmax(self.xp, bottoms[0], self._along, tops[0], self._reduced)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        dx = dbottoms[0]
        if dx is None:
            return
        if self._product is None:
            self._product = self.scratch(dx.shape)
        softmax_gradient(self.xp, tops[0], dtops[0], self._along, dx, self._product, self._reduced)

    def _axis(self, shape: Shape) -> int:
        return self.axis(shape, self.spec.softmax_param.axis, ("softmax_param", "axis"))


@register("SoftmaxWithLoss")
class SoftmaxWithLoss(Layer):
    """L = -sum log(max(p, 1.2e-38)) / Z over the items that count, with p = softmax(x)[label].

    Z is, by ``normalization``: VALID, the items that count; FULL, all items; BATCH_SIZE, the
    product of the axes before the class axis; NONE, 1. It is never below 1.
    Gradient: dx = w (softmax(x) - 1[class = label]) / Z, and 0 for items to ignore.

    Bottom:
        x: ... x C x ..., scores with the classes along ``axis``; label: one class 0 to C - 1
        for each item, of any shape with that count.
    Top:
        L: scalar; and, where a second top is named, p: the probabilities in the shape of x.
    Params:
        none.
    Spec:
        softmax_param: axis (1). loss_param: ignore_label (none), normalization (VALID),
        normalize (old: true is VALID, false is BATCH_SIZE). loss_weight (1).
    Raises:
        LayerError: for an axis that x has not, another number of labels than items, a
        loss_weight for p, label_smoothing, and, while running on the CPU, a label that is no
        class.
    Differs:
        A second top needs no loss_weight; Caffe aborts without one. A label out of range is an
        error, not a stray read.
    """

    bottoms = (2, 2)
    tops = (0, 2)
    no_gradient = frozenset({1})
    backward_reads = frozenset()
    is_loss = True

    def setup(self) -> None:
        spec = self.spec.loss_param
        self.ignore = spec.ignore_label if spec.HasField("ignore_label") else None
        self.normalization: int = spec.normalization
        if spec.HasField("normalize") and not spec.HasField("normalization"):
            self.normalization = LossParameter.VALID if spec.normalize else LossParameter.BATCH_SIZE
        if spec.label_smoothing:
            raise LayerError(
                "label_smoothing is not supported",
                ("loss_param", "label_smoothing"),
                "remove it, or set it to 0",
            )
        if any(self.spec.loss_weight[1:]):
            raise LayerError(
                "the probabilities of the second top cannot be part of the objective",
                ("loss_weight", 1),
                "give it loss_weight: 0",
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        check_labels(self, shapes, self._axis(shapes[0]))
        return [(), shapes[0]][: max(1, len(self.spec.top))]

    def build(self, shapes: Sequence[Shape]) -> None:
        shape = shapes[0]
        self._class_axis = self._axis(shape)
        self._labels = Labels(self, shape, self._class_axis, self.ignore)
        self._p = self.scratch(shape)
        self._one_hot = self.scratch(shape)
        self._per_item = self.scratch(self._labels.shape)
        self._factor = self.scratch(())
        self._normalizer = self.scratch(())
        items = math.prod(self._labels.shape)
        fixed: dict[int, int] = {
            LossParameter.FULL: items,
            LossParameter.VALID: items,
            LossParameter.BATCH_SIZE: math.prod(shape[: self._class_axis]),
            LossParameter.NONE: 1,
        }
        self._normalizer.fill(max(1, fixed[self.normalization]))

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, labels, axis, per_item = self.xp, self._labels, self._class_axis, self._per_item
        labels.read(bottoms[1])
        softmax(xp, bottoms[0], axis, self._p, per_item)
        labels.one_hot(self._one_hot)
        xp.multiply(self._p, self._one_hot, out=self._one_hot)
        self._one_hot.sum(axis=axis, out=per_item, keepdims=True)
        xp.maximum(per_item, _SMALLEST, out=per_item)
        xp.log(per_item, out=per_item)
        if labels.valid is not None:
            xp.multiply(per_item, labels.valid, out=per_item)
            if self.normalization == LossParameter.VALID:
                labels.valid.sum(out=self._normalizer)
                xp.maximum(self._normalizer, 1.0, out=self._normalizer)
        per_item.sum(out=tops[0])
        xp.divide(tops[0], self._normalizer, out=tops[0])
        xp.negative(tops[0], out=tops[0])
        if len(tops) > 1:
            xp.copyto(tops[1], self._p)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp, dx = self.xp, dbottoms[0]
        if dx is None:
            return
        self._labels.one_hot(dx)
        xp.subtract(self._p, dx, out=dx)
        if self._labels.valid is not None:
            xp.multiply(dx, self._labels.valid, out=dx)
        xp.divide(dtops[0], self._normalizer, out=self._factor)
        xp.multiply(dx, self._factor, out=dx)

    def _axis(self, shape: Shape) -> int:
        return self.axis(shape, self.spec.softmax_param.axis, ("softmax_param", "axis"))

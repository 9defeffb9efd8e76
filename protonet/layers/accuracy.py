"""Accuracy: the fraction of items classified correctly."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.in_top_k import InTopK
from protonet.layers.base import Layer, Traits
from protonet.layers.labels import Labels, check_labels
from protonet.layers.registry import register


@register("Accuracy")
class Accuracy(Layer):
    """The fraction of items whose label is among the top_k highest scores.

    A label is correct if at least C - top_k scores are lower than its own, so a tie counts
    against it. The share is 0 when every item is ignored.

    Bottom:
        x: ... x C x ..., scores with the classes along ``axis``; label: one class 0 to C - 1
        for each item, of any shape with that count. Neither gets a gradient.
    Top:
        accuracy: scalar; and, with a second top, the accuracy of each class: C,
        0 for a class without items.
    Params:
        none.
    Spec:
        accuracy_param: top_k (1), axis (1), ignore_label (none), min_is_better (false: of
        happynear's fork; scores are distances, and the lowest are the best).
    Raises:
        LayerError: for an axis out of range, a wrong number of labels, a top_k
        that is not 1 to C, a loss_weight, and, while running on the CPU, an invalid label.
    Differs:
        A score that is NaN counts against the label; in Caffe it can count for it. A
        label out of range is an error, not a stray read.
    """

    bottoms = (2, 2)
    tops = (1, 2)
    no_gradient = frozenset({0, 1})
    traits = Traits(backward_reads=frozenset())

    def setup(self) -> None:
        spec = self.spec.accuracy_param
        self.top_k = spec.top_k
        self.ignore = spec.ignore_label if spec.HasField("ignore_label") else None
        if any(self.spec.loss_weight):
            raise LayerError(
                "an accuracy has no gradient and cannot be part of the objective",
                ("loss_weight",),
                "train on a loss, such as SoftmaxWithLoss",
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        axis = self.axis_of(shapes[0])
        check_labels(self, shapes, axis)
        classes = shapes[0][axis]
        if not 1 <= self.top_k <= classes:
            raise LayerError(
                f"expected 1 <= top_k <= {classes}, the number of classes, got {self.top_k}",
                ("accuracy_param", "top_k"),
            )
        return [(), (classes,)][: len(self.spec.top)]

    def build(self, shapes: Sequence[Shape]) -> None:
        shape = shapes[0]
        self._class_axis = axis = self.axis_of(shape)
        self._others = tuple(i for i in range(len(shape)) if i != axis)
        self._labels = Labels(self, shape, axis, self.ignore)
        self._kernel = InTopK.make(self.device, self.dtype, shape, axis, self.top_k)
        self._right = self.scratch(self._labels.shape)
        if self.spec.accuracy_param.min_is_better:
            self._turned = self.scratch(shape)
        if len(self.spec.top) > 1:
            self._one_hot = self.scratch(shape, np.bool_)
            self._scores = self.scratch(shape)
            self._per_class = self.scratch((shape[axis],))
        self._count = self.scratch(())
        self._count.fill(max(1, math.prod(self._labels.shape)))

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, labels, right = self.xp, self._labels, self._right
        labels.read(bottoms[1])
        scores = bottoms[0]
        if self.spec.accuracy_param.min_is_better:
            scores = xp.negative(scores, out=self._turned)
        self._kernel.forward(scores, labels.indices, right)
        if labels.valid is not None:
            xp.multiply(right, labels.valid, out=right)
            labels.valid.sum(out=self._count)
            xp.maximum(self._count, 1.0, out=self._count)
        right.sum(out=tops[0])
        xp.divide(tops[0], self._count, out=tops[0])
        if len(tops) > 1:
            self._write_per_class(tops[1])

    def _write_per_class(self, top: Array) -> None:
        """Write correct / all for each class."""
        xp, scores, count = self.xp, self._scores, self._per_class
        self._labels.one_hot(self._one_hot)
        xp.multiply(self._one_hot, self._right, out=scores)
        scores.sum(axis=self._others, out=top)
        if self._labels.valid is None:
            xp.copyto(scores, self._one_hot)
        else:
            xp.multiply(self._one_hot, self._labels.valid, out=scores)
        scores.sum(axis=self._others, out=count)
        xp.maximum(count, 1.0, out=count)
        xp.divide(top, count, out=top)

    def axis_of(self, shape: Shape) -> int:
        return self.axis(shape, self.spec.accuracy_param.axis, ("accuracy_param", "axis"))

"""Losses of scores that must exceed others by a margin."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, Traits, shape_text
from protonet.layers.labels import ClassWeights, Labels, check_labels
from protonet.layers.normalizer import Normalizer
from protonet.layers.registry import register


def _rows(layer: Layer, shape: Shape) -> Shape:
    """Items x classes."""
    if not shape or math.prod(shape[2:]) != 1:
        raise LayerError(
            f"expected scores N x C, got '{layer.spec.bottom[0]}' {shape_text(shape)}",
            ("bottom", 0),
        )
    return shape[:2] if len(shape) > 1 else (1, shape[0])


class _MarginLoss(Layer):
    """Base: the gradient is that of the sum times w / (C Z), for C classes."""

    bottoms = (2, 2)
    tops = (0, 1)
    no_gradient = frozenset({1})
    is_loss = True
    traits = Traits(backward_reads=frozenset())

    def build(self, shapes: Sequence[Shape]) -> None:
        self._shape = items, classes = _rows(self, shapes[0])
        self._slope, self._z = self.scratch(self._shape), self.scratch(self._shape)
        self._one, self._each = self.scratch((items, 1)), self.scratch((items, 1))
        self._own = self.scratch(self._shape, np.bool_)
        self._factor, self._classes = self.scratch(()), max(1, classes)
        self._normalizer = Normalizer(self, items, items)

    def finish(self, loss: Array) -> None:
        """Divide the sum."""
        self.xp.divide(loss, self._normalizer.value, out=loss)
        self.xp.divide(loss, self._classes, out=loss)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            self.finish_gradient(dtops[0], dbottoms[0].reshape(self._shape))

    def finish_gradient(self, weight: Array, dx: Array) -> None:
        """Write the gradient."""
        self.xp.divide(weight, self._normalizer.value, out=self._factor)
        self.xp.divide(self._factor, self._classes, out=self._factor)
        self.xp.multiply(self._slope, self._factor, out=dx)


@register("MultiMarginLoss")
class MultiMarginLoss(_MarginLoss):
    """L = sum v sum_c max(0, m - x[label] + x[c])^p / (C Z), over the C classes but the label's.

    v is the class_weighting of the label, or 1. Z is, by ``normalization``: VALID, the items that
    count; FULL and BATCH_SIZE, all items; NONE, 1; WEIGHTS, the sum of v. Gradient: of L; 0 where
    m - x[label] + x[c] is 0.

    Bottom:
        x: N x C, scores, or C for one item; label: one class 0 to C - 1 for each item. It gets no
        gradient.
    Top:
        L: scalar.
    Params:
        none.
    Spec:
        multi_margin_loss_param: p (1; or 2), margin (m, 1). loss_param: class_weighting (none; one
        for each class), ignore_label (none), normalization (VALID). loss_weight (1).
    Raises:
        LayerError: for another p, scores of another form, a wrong number of labels or weights,
        and, while running on the CPU, an invalid label.
    Differs:
        Caffe has no such layer. It is Torch7's MultiMarginCriterion (nn, lib/THNN).
    """

    def setup(self) -> None:
        found = self.spec.multi_margin_loss_param.p
        if found not in (1, 2):
            raise LayerError(f"expected p of 1 or 2, got {found}", ("multi_margin_loss_param", "p"))

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        rows = _rows(self, shapes[0])
        check_labels(self, [rows, shapes[1]], 1)
        ClassWeights.check(self, rows[1])
        return [()]

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        spec = self.spec.loss_param
        ignored = spec.ignore_label if spec.HasField("ignore_label") else None
        self._labels = Labels(self, self._shape, 1, ignored)
        self._weights = ClassWeights(self, self._labels)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, param, x = self.xp, self.spec.multi_margin_loss_param, bottoms[0].reshape(self._shape)
        z, slope, own, one = self._z, self._slope, self._own, self._one
        self._labels.read(bottoms[1])
        weights = self._weights.read()
        self._normalizer.count(self._labels.valid, weights)
        self._labels.one_hot(own)
        xp.multiply(x, own, out=z)
        z.sum(axis=1, keepdims=True, out=one)
        xp.subtract(x, one, out=z)
        xp.add(z, param.margin, out=z)
        xp.maximum(z, 0.0, out=z)
        xp.copyto(z, 0.0, where=own)
        if param.p == 1:
            xp.sign(z, out=slope)
        else:
            xp.multiply(z, 2.0, out=slope)
            xp.multiply(z, z, out=z)
        xp.multiply(z, weights, out=z)
        z.sum(out=tops[0])
        self.finish(tops[0])
        xp.multiply(slope, weights, out=slope)
        slope.sum(axis=1, keepdims=True, out=one)
        xp.multiply(own, one, out=z)
        xp.subtract(slope, z, out=slope)


@register("MultiLabelMarginLoss")
class MultiLabelMarginLoss(_MarginLoss):
    """L = sum over labels l and other classes c of max(0, 1 - x[l] + x[c]) / (C Z).

    The labels of an item are those before its first one below 0. Z is, by ``normalization``:
    VALID, FULL and BATCH_SIZE, the items; NONE, 1. Gradient: of L; 0 where 1 - x[l] + x[c] is 0.

    Bottom:
        x: N x C, scores, or C for one item; label: N x C, the classes of each item from 0, then
        numbers below 0. It gets no gradient.
    Top:
        L: scalar.
    Params:
        none.
    Spec:
        loss_param: normalization (VALID). loss_weight (1).
    Raises:
        LayerError: for scores of another form, labels of another count than scores, and, while
        running on the CPU, a label of C or more.
    Differs:
        Caffe has no such layer. It is Torch7's MultiLabelMarginCriterion (nn, lib/THNN), where
        classes count from 1 and 0 ends them.
    """

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        rows = _rows(self, shapes[0])
        if math.prod(shapes[1]) != math.prod(rows):
            raise LayerError(
                f"expected as many labels in '{self.spec.bottom[1]}' as scores in "
                f"'{self.spec.bottom[0]}' ({shape_text(shapes[0])}), got {shape_text(shapes[1])}",
                ("bottom", 1),
                "items with fewer labels have -1 after them",
            )
        return [()]

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        items, classes = self._shape
        self._numbers = self.scratch((classes,))
        self.device.put_lazily(lambda: np.arange(classes).astype(self.dtype), self._numbers)
        self._labels, self._others = self.scratch(self._shape), self.scratch(self._shape)
        self._ended = self.scratch((items, 1), np.bool_)
        self._work = self.scratch(self._shape)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, x, labels = self.xp, bottoms[0].reshape(self._shape), self._labels
        own, z, slope, one, work = self._own, self._z, self._slope, self._one, self._work
        self._read(bottoms[1].reshape(self._shape))
        slope.fill(0)
        tops[0].fill(0)
        for place in range(self._shape[1]):
            label = labels[:, place : place + 1]
            xp.equal(label, self._numbers, out=own)
            xp.multiply(x, own, out=z)
            z.sum(axis=1, keepdims=True, out=one)
            xp.subtract(x, one, out=z)
            xp.add(z, 1.0, out=z)
            xp.maximum(z, 0.0, out=z)
            xp.multiply(z, self._others, out=z)
            xp.greater_equal(label, 0.0, out=one)
            xp.multiply(z, one, out=z)
            z.sum(out=self._factor)
            xp.add(tops[0], self._factor, out=tops[0])
            # each term pushes another class down and the label up
            xp.sign(z, out=z)
            xp.add(slope, z, out=slope)
            z.sum(axis=1, keepdims=True, out=one)
            xp.multiply(own, one, out=work)
            xp.subtract(slope, work, out=slope)
        self.finish(tops[0])

    def _read(self, labels: Array) -> None:
        """Write the labels, -1 from the first one below 0 on, and the classes not among them."""
        xp, found, ended = self.xp, self._labels, self._ended
        xp.trunc(labels, out=found)
        if self.device.is_cpu and found.size and found.max() >= self._shape[1]:
            raise LayerError(
                f'layer "{self.name}" ({self.type}): label {found.max():g} in '
                f"'{self.spec.bottom[1]}' is not one of the {self._shape[1]} classes",
                ("bottom", 1),
                "labels count from 0",
            )
        ended.fill(False)
        self._others.fill(1)
        for place in range(self._shape[1]):
            label = found[:, place : place + 1]
            xp.less(label, 0.0, out=self._one)
            xp.logical_or(ended, self._one, out=ended)
            xp.copyto(label, -1.0, where=ended)
            xp.not_equal(label, self._numbers, out=self._own)
            xp.multiply(self._others, self._own, out=self._others)

"""Losses and metrics: EuclideanLoss, SoftmaxWithLoss, Accuracy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.select import take
from protonet.kernels.softmax import softmax
from protonet.layers.base import Layer, shape_text
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import LossParameter


@register("EuclideanLoss")
class EuclideanLoss(Layer):
    """loss = sum (a - b)^2 / (2 N); da = (a - b) / N, db = -da, times the loss weight.

    Bottom:
        0: a, N x ...
        1: b, N x ..., as many values for each of the N as a
    Top:
        0: the loss, a scalar
    Params:
        none
    Spec:
        none
    Raises:
        LayerError: when N or the values of an item differ
    Differs:
        no
    """

    bottoms = (2, 2)
    tops = (0, 1)
    is_loss = True
    backward_reads = frozenset()

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        a, b = shapes
        for what, ours, theirs in (
            ("items", a[:1], b[:1]),
            ("values an item", a[1:], b[1:]),
        ):
            if math.prod(ours) != math.prod(theirs):
                raise LayerError(
                    f"expected as many {what} in both bottoms, "
                    f"got {math.prod(ours)} and {math.prod(theirs)}",
                    ("bottom", 1),
                )
        return [()]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._items = shapes[0][0] if shapes[0] else 1
        self._difference = self.scratch((math.prod(shapes[0]),))
        self._factor = self.scratch(())

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, d, (loss,) = self.xp, self._difference, tops
        xp.subtract(bottoms[0].reshape(-1), bottoms[1].reshape(-1), d)
        xp.dot(d, d, loss)
        xp.multiply(loss, 0.5 / self._items, loss)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        for dx, sign in zip(dbottoms, (1.0, -1.0), strict=True):
            if dx is not None:
                self.xp.multiply(dtops[0], sign / self._items, self._factor)
                self.xp.multiply(self._difference, self._factor, dx.reshape(-1))


class Labelled(Layer):
    """What layers over scores and integer labels share: scores seen as outer x classes x inner,
    one label for each outer x inner."""

    bottoms = (2, 2)
    no_gradient = frozenset({1})

    def split(self, shapes: Sequence[Shape], axis: int, path: tuple[str, str]) -> None:
        """Check the shapes and remember outer, classes and inner."""
        scores, labels = shapes
        axis = self.axis(scores, axis, path)
        self.outer, self.classes = math.prod(scores[:axis]), scores[axis]
        self.inner = math.prod(scores[axis + 1 :])
        if math.prod(labels) != self.outer * self.inner:
            raise LayerError(
                f"expected a label for each of {self.outer * self.inner} predictions "
                f"(scores {shape_text(scores)}, classes on axis {axis}), "
                f"got {math.prod(labels)} labels",
                ("bottom", 1),
            )

    def build_labels(self, ignore: int | None) -> None:
        """Scratch for labels, their validity, and their places among the scores."""
        count = self.outer * self.inner
        outer, inner = np.divmod(np.arange(count), self.inner)
        base = outer * self.classes * self.inner + inner
        self._ignore = ignore
        self._base = self.scratch((count,), np.int64)
        self.device.put(base, self._base)
        self._labels = self.scratch((count,), np.int64)
        self._index = self.scratch((count,), np.int64)
        self._valid = self.scratch((count,), bool)

    def place_labels(self, labels: Array) -> None:
        """Set ``_labels`` (0 where ignored), ``_valid`` and ``_index`` for these labels.

        Raises:
            LayerError: on a CPU, for a label that is no class; a GPU would have to be waited for.
        """
        xp = self.xp
        self._labels[...] = labels.reshape(-1)
        if self._ignore is None:
            self._valid.fill(True)
        else:
            xp.not_equal(self._labels, self._ignore, self._valid)
            xp.multiply(self._labels, self._valid, self._labels)
        if self.device.is_cpu:
            low, high = int(self._labels.min()), int(self._labels.max())
            if low < 0 or high >= self.classes:
                raise LayerError(
                    f'layer "{self.name}" ({self.type}): label {low if low < 0 else high} is out '
                    f"of range for {self.classes} classes (0 to {self.classes - 1}); check the "
                    "labels, or the num_output of the layer that makes the scores"
                )
        xp.multiply(self._labels, self.inner, self._index)
        xp.add(self._index, self._base, self._index)


@register("SoftmaxWithLoss")
class SoftmaxWithLoss(Labelled):
    """loss = -sum log(max(p[label], FLT_MIN)) / normalizer with p = softmax(x);
    dx = (p - onehot(label)) / normalizer, 0 where the label is ignored, times the loss weight.

    Bottom:
        0: x, scores, classes on ``axis``
        1: labels, one for each prediction, any shape of that count
    Top:
        0: the loss, a scalar
        1 (optional): p, the shape of x
    Params:
        none
    Spec:
        softmax_param: axis (1)
        loss_param: ignore_label, normalization (VALID), normalize (its older form)
    Raises:
        LayerError: when the counts of scores and labels disagree, or for a label out of range
    Differs:
        a second top needs no loss_weight; a label out of range is an error, not a stray read
    """

    tops = (0, 2)
    is_loss = True
    backward_reads = frozenset()

    def setup(self) -> None:
        param = self.spec.loss_param
        self.normalization = param.normalization
        if not param.HasField("normalization") and param.HasField("normalize"):
            self.normalization = (
                LossParameter.VALID if param.normalize else LossParameter.BATCH_SIZE
            )
        if param.label_smoothing:
            raise LayerError(
                "label_smoothing is not supported; remove it", ("loss_param", "label_smoothing")
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        self.split(shapes, self.spec.softmax_param.axis, ("softmax_param", "axis"))
        return [(), shapes[0]][: max(1, len(self.spec.top))]

    def build(self, shapes: Sequence[Shape]) -> None:
        param = self.spec.loss_param
        self.build_labels(param.ignore_label if param.HasField("ignore_label") else None)
        shape = (self.outer, self.classes, self.inner)
        self._p = self.scratch(shape)
        self._reduced = self.scratch((self.outer, 1, self.inner))
        self._picked = self.scratch((self.outer * self.inner,))
        self._normalizer = self.scratch(())
        self._factor = self.scratch(())

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, picked = self.xp, self._picked
        softmax(xp, bottoms[0].reshape(self._p.shape), 1, self._p, self._reduced)
        self.place_labels(bottoms[1])
        take(xp, self._p.reshape(-1), self._index, picked)
        xp.maximum(picked, float(np.finfo(np.float32).tiny), out=picked)
        xp.log(picked, picked)
        xp.multiply(picked, self._valid, picked)
        self._set_normalizer()
        xp.sum(picked, out=tops[0])
        xp.divide(tops[0], self._normalizer, tops[0])
        xp.negative(tops[0], tops[0])
        if len(tops) > 1:
            tops[1][...] = self._p.reshape(tops[1].shape)

    def _set_normalizer(self) -> None:
        """What the sum is divided by: at least 1."""
        if self.normalization == LossParameter.VALID:
            self.xp.sum(self._valid, out=self._normalizer, dtype=self._normalizer.dtype)
            self.xp.maximum(self._normalizer, 1.0, out=self._normalizer)
            return
        fixed = {
            LossParameter.FULL: self.outer * self.inner,
            LossParameter.BATCH_SIZE: self.outer,
            LossParameter.NONE: 1,
        }
        self._normalizer.fill(max(1, fixed[self.normalization]))

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp, picked = self.xp, self._picked
        if dbottoms[0] is None:
            return
        dx = dbottoms[0].reshape(self._p.shape)
        dx[...] = self._p
        flat = dx.reshape(-1)
        take(xp, flat, self._index, picked)
        xp.subtract(picked, 1.0, picked)
        flat[self._index] = picked
        xp.multiply(dx, self._valid.reshape(self._reduced.shape), dx)
        xp.divide(dtops[0], self._normalizer, self._factor)
        xp.multiply(dx, self._factor, dx)


@register("Accuracy")
class Accuracy(Labelled):
    """The share of predictions whose label is among the ``top_k`` highest scores.

    A prediction is right when fewer than top_k other scores are at least the label's: ties
    count against it. No gradient.

    Bottom:
        0: scores, classes on ``axis``
        1: labels, one for each prediction, any shape of that count
    Top:
        0: the share, a scalar; 0 when every label is ignored
        1 (optional): the share of each class, one value a class; 0 for a class without labels
    Params:
        none
    Spec:
        accuracy_param: top_k (1), axis (1), ignore_label
    Raises:
        LayerError: when the counts disagree, top_k is no number of classes, or a label is out of
        range
    Differs:
        a label out of range is an error
    """

    tops = (1, 2)
    no_gradient = frozenset({0, 1})
    backward_reads = frozenset()

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        param = self.spec.accuracy_param
        self.split(shapes, param.axis, ("accuracy_param", "axis"))
        if not 1 <= param.top_k <= self.classes:
            raise LayerError(
                f"top_k must be 1 to {self.classes}, the number of classes, got {param.top_k}",
                ("accuracy_param", "top_k"),
            )
        return [(), (self.classes,)][: len(self.spec.top)]

    def build(self, shapes: Sequence[Shape]) -> None:
        param = self.spec.accuracy_param
        self.build_labels(param.ignore_label if param.HasField("ignore_label") else None)
        count = self.outer * self.inner
        self._picked = self.scratch((count,))
        self._better = self.scratch((self.outer, self.classes, self.inner), bool)
        self._ranks = self.scratch((self.outer, self.inner), np.int64)
        self._right = self.scratch((count,), bool)
        self._counted = self.scratch(())

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp = self.xp
        scores = bottoms[0].reshape(self._better.shape)
        self.place_labels(bottoms[1])
        take(xp, scores.reshape(-1), self._index, self._picked)
        picked = self._picked.reshape(self.outer, 1, self.inner)
        xp.greater_equal(scores, picked, self._better)
        xp.sum(self._better, axis=1, out=self._ranks, dtype=np.int64)
        xp.less_equal(self._ranks.reshape(-1), self.spec.accuracy_param.top_k, self._right)
        xp.logical_and(self._right, self._valid, self._right)
        xp.sum(self._valid, out=self._counted, dtype=self._counted.dtype)
        xp.maximum(self._counted, 1.0, out=self._counted)
        xp.sum(self._right, out=tops[0], dtype=tops[0].dtype)
        xp.divide(tops[0], self._counted, tops[0])
        if len(tops) > 1:
            right = xp.bincount(self._labels, self._right, self.classes)
            total = xp.bincount(self._labels, self._valid, self.classes)
            tops[1][...] = right / xp.maximum(total, 1)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        """Never called: no bottom gets a gradient."""
        raise NotImplementedError

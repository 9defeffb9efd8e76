"""Losses of classes, beside that of a softmax, which is in ``softmax``."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import FormatError, LayerError, UsageError
from protonet.formats.blobs import to_array
from protonet.formats.kind import read_message
from protonet.kernels.losses import Hinge, SigmoidCrossEntropy, Spread
from protonet.kernels.product import BatchProduct
from protonet.kernels.softmax import softmax
from protonet.layers.base import Layer, Reads, Traits, shape_text
from protonet.layers.labels import Labels, check_labels
from protonet.layers.normalizer import Normalizer
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import BlobProto, HingeLossParameter, LossParameter

_LEAST = 1e-20
"""The least probability whose logarithm is taken."""


class ItemLoss(Layer):
    """Base of the losses over items (the first axis) whose other values are one for each class."""

    bottoms = (2, 2)
    tops = (0, 1)
    no_gradient = frozenset({1})
    traits = Traits(backward_reads=frozenset())
    is_loss = True

    def rows(self, shape: Shape) -> Shape:
        """Items x classes."""
        if not shape:
            raise LayerError("expected at least 1 axis, got a scalar", ("bottom", 0))
        return shape[0], math.prod(shape[1:])

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        check_labels(self, [self.rows(shapes[0]), shapes[1]], 1)
        return [()]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._rows = self.rows(shapes[0])
        self._items = max(1, self._rows[0])
        self._labels = Labels(self, self._rows, 1, None)


@register("HingeLoss")
class HingeLoss(ItemLoss):
    """L = sum m / N with m = max(0, 1 - t x), t = 1 for the label's class and -1 for others.

    With norm L2, L = sum m^2 / N. Gradients: dx = -w t / N where m > 0, or -2 w t m / N, with w
    the loss weight.

    Bottom:
        x: N x ..., a score for each class; label: N classes from 0.
    Top:
        L: scalar.
    Params:
        none.
    Spec:
        hinge_loss_param: norm (L1); loss_weight (1).
    Raises:
        LayerError: for another number of labels than items, and, while running on the CPU, a
        label that is no class.
    Differs:
        A label out of range is an error, not a stray read.
    """

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        squares = self.spec.hinge_loss_param.norm == HingeLossParameter.L2
        self._slope = self.scratch(self._rows)
        self._kernel = Hinge.make(self.device, self.dtype, *self._rows, squares)
        self._spread = Spread.make(self.device, self.dtype, math.prod(self._rows))

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self._labels.read(bottoms[1])
        self._kernel.forward(
            bottoms[0], self._labels.indices, self._slope, tops[0], 1.0 / self._items
        )

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            self._spread.spread(self._slope, dtops[0], 1.0 / self._items, dbottoms[0])


@register("MultinomialLogisticLoss")
class MultinomialLogisticLoss(ItemLoss):
    """L = -sum log(max(p[label], 1e-20)) / N, of probabilities p.

    Gradient: dp[label] = -w / (N max(p[label], 1e-20)), 0 for other classes, with w the loss
    weight.

    Bottom:
        p: N x ..., a probability for each class, as Softmax gives them; label: N classes from 0.
    Top:
        L: scalar.
    Params:
        none.
    Spec:
        no fields of its own; loss_weight (1).
    Raises:
        LayerError: for another number of labels than items, and, while running on the CPU, a
        label that is no class.
    Differs:
        A label out of range is an error, not a stray read.
    """

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        self._one_hot = self.scratch(self._rows)
        self._per_item, self._p = (self.scratch((self._rows[0], 1)) for _ in range(2))
        self._factor = self.scratch(())
        self._picked = self.scratch(self._rows)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, p = self.xp, self._p
        self._labels.read(bottoms[1])
        self._labels.one_hot(self._one_hot)
        xp.multiply(bottoms[0].reshape(self._rows), self._one_hot, out=self._picked)
        self._picked.sum(axis=1, out=p, keepdims=True)
        xp.maximum(p, _LEAST, out=p)
        xp.log(p, out=self._per_item)
        self._per_item.sum(out=tops[0])
        xp.multiply(tops[0], -1.0 / self._items, out=tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is None:
            return
        xp, dx = self.xp, dbottoms[0].reshape(self._rows)
        xp.multiply(dtops[0], -1.0 / self._items, out=self._factor)
        xp.divide(self._factor, self._p, out=self._per_item)
        xp.multiply(self._one_hot, self._per_item, out=dx)


@register("InfogainLoss")
class InfogainLoss(Layer):
    """L = -sum H[label, k] log(max(p[k], 1e-20)) / Z, with p = softmax(x).

    H is a C x C matrix of what the classes are worth to each other; the unit matrix makes this
    SoftmaxWithLoss. Z is as there. Gradient: dx[k] = w (p[k] sum_j H[label, j] - H[label, k]) / Z,
    and 0 for items to ignore, with w the loss weight.

    Bottom:
        x: ... x C x ..., scores with the classes along ``axis``; label: one class 0 to C - 1
        for each item; H, unless ``source`` names it: C x C values. Only x gets a gradient.
    Top:
        L: scalar; and, where a second top is named, p in the shape of x.
    Params:
        none.
    Spec:
        infogain_loss_param: source (a .binaryproto file with H), axis (1). loss_param:
        ignore_label (none), normalization (VALID), normalize. loss_weight (1).
    Raises:
        LayerError: without H or with two of them, for a file that cannot be read, a matrix that
        is not C x C, an axis that x has not, another number of labels than items, a loss_weight
        for p, and, while running on the CPU, a label that is no class.
    Differs:
        A second top needs no loss_weight. A label out of range is an error, not a stray read.
        H in both a file and a bottom is refused; Caffe takes the bottom.
    """

    bottoms = (2, 3)
    tops = (0, 2)
    no_gradient = frozenset({1, 2})
    traits = Traits(backward_reads=frozenset())
    is_loss = True

    def setup(self) -> None:
        spec = self.spec.infogain_loss_param
        loss = self.spec.loss_param
        self.ignore = loss.ignore_label if loss.HasField("ignore_label") else None
        self._read: np.ndarray | None = None
        given = len(self.spec.bottom) > 2
        if given == spec.HasField("source"):
            raise LayerError(
                "expected the matrix H in one place, got "
                + (
                    "both a source and a third bottom" if given else "neither a source nor a bottom"
                ),
                ("infogain_loss_param",) if spec.HasField("source") else (),
                "name a .binaryproto file in infogain_loss_param { source }, or a third bottom",
            )
        if not given:
            self._read = self._read_matrix()
        if any(self.spec.loss_weight[1:]):
            raise LayerError(
                "the probabilities of the second top cannot be part of the objective",
                ("loss_weight", 1),
                "give it loss_weight: 0",
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        axis = self.axis_of(shapes[0])
        check_labels(self, shapes, axis)
        matrix = shapes[2] if self._read is None else self._read.shape
        classes = shapes[0][axis]
        if math.prod(matrix) != classes * classes:
            raise LayerError(
                f"expected a matrix H of {classes} x {classes} classes, got {shape_text(matrix)}",
                ("bottom", 2) if self._read is None else ("infogain_loss_param", "source"),
            )
        return [(), shapes[0]][: max(1, len(self.spec.top))]

    def build(self, shapes: Sequence[Shape]) -> None:
        shape, axis = shapes[0], self.axis_of(shapes[0])
        self._class_axis, classes = axis, shape[axis]
        outer = math.prod(shape[:axis])
        self._labels = Labels(self, shape, axis, self.ignore)
        self._seen = (outer, classes, math.prod(shape[axis + 1 :]))
        self._p, self._one_hot = self.scratch(shape), self.scratch(shape)
        self._worth, self._product = self.scratch(shape), self.scratch(shape)
        self._per_item = self.scratch(self._labels.shape)
        self._factor = self.scratch(())
        self._matrix = self.scratch((classes, classes))
        self._lookup = BatchProduct.make(
            self.device, self.dtype, outer, classes, classes, self._seen[2]
        )
        if self._read is not None:
            self.device.put(self._read.reshape(self._matrix.shape).astype(self.dtype), self._matrix)
        self._normalizer = Normalizer(self, math.prod(self._labels.shape), outer)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, labels, worth, product = self.xp, self._labels, self._worth, self._product
        labels.read(bottoms[1])
        labels.one_hot(self._one_hot)
        if self._read is None:
            xp.copyto(self._matrix, bottoms[2].reshape(self._matrix.shape))
        # H[label] for each item: the transposed matrix times the column of the label.
        self._lookup.forward(self._matrix, self._one_hot.reshape(self._seen), worth, a_turned=True)
        if labels.valid is not None:
            xp.multiply(worth, labels.valid, out=worth)
            self._normalizer.count(labels.valid)
        softmax(xp, bottoms[0], self._class_axis, self._p, self._per_item)
        xp.maximum(self._p, _LEAST, out=product)
        xp.log(product, out=product)
        xp.multiply(product, worth, out=product)
        product.sum(out=tops[0])
        xp.divide(tops[0], self._normalizer.value, out=tops[0])
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
        self._worth.sum(axis=self._class_axis, out=self._per_item, keepdims=True)
        xp.multiply(self._p, self._per_item, out=dx)
        xp.subtract(dx, self._worth, out=dx)
        xp.divide(dtops[0], self._normalizer.value, out=self._factor)
        xp.multiply(dx, self._factor, out=dx)

    def _read_matrix(self) -> np.ndarray:
        """H from the file that ``source`` names."""
        path = self.around.find(self.spec.infogain_loss_param.source)
        try:
            return to_array(read_message(path, BlobProto, "a .binaryproto"), f"{path}: the matrix")
        except (FormatError, UsageError) as error:
            raise LayerError(str(error), ("infogain_loss_param", "source")) from error

    def axis_of(self, shape: Shape) -> int:
        return self.axis(shape, self.spec.infogain_loss_param.axis, ("infogain_loss_param", "axis"))


@register("SigmoidCrossEntropyLoss")
class SigmoidCrossEntropyLoss(Layer):
    """L = sum(log(1 + exp(x)) - x t) / Z: the cross entropy of t and sigmoid(x).

    Z is, by ``normalization``: BATCH_SIZE (the default here), the items of the first axis; VALID,
    the values that count; FULL, all values; NONE, 1. It is never below 1. Gradient:
    dx = w (sigmoid(x) - t) / Z, and 0 for values to ignore, with w the loss weight.

    Bottom:
        x: N x ..., scores; t: as many values, targets from 0 to 1. Only x gets a gradient.
    Top:
        L: scalar.
    Params:
        none.
    Spec:
        loss_param: ignore_label (none; a target that is this number when cut to a whole one is
        left out), normalization, normalize. loss_weight (1).
    Raises:
        LayerError: when the bottoms differ in count.
    Differs:
        not at all.
    """

    bottoms = (2, 2)
    tops = (0, 1)
    no_gradient = frozenset({1})
    traits = Traits(backward_reads=frozenset({Reads.BOTTOMS}))
    is_loss = True

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        if not shapes[0]:
            raise LayerError("expected at least 1 axis, got a scalar", ("bottom", 0))
        if math.prod(shapes[0]) != math.prod(shapes[1]):
            raise LayerError(
                f"expected a target for each score, got {shape_text(shapes[0])} scores and "
                f"{shape_text(shapes[1])} targets",
                ("bottom", 1),
            )
        return [()]

    def build(self, shapes: Sequence[Shape]) -> None:
        spec = self.spec.loss_param
        self._flat = (math.prod(shapes[0]),)
        ignored = spec.ignore_label if spec.HasField("ignore_label") else None
        self._kernel = SigmoidCrossEntropy.make(self.device, self.dtype, self._flat[0], ignored)
        self._counted, self._factor = self.scratch(()), self.scratch(())
        self._normalizer = Normalizer(self, self._flat[0], shapes[0][0], LossParameter.BATCH_SIZE)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self._kernel.forward(bottoms[0], bottoms[1], tops[0], self._counted)
        self._normalizer.count(self._counted)
        self.xp.divide(tops[0], self._normalizer.value, out=tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            self.xp.divide(dtops[0], self._normalizer.value, out=self._factor)
            self._kernel.backward(bottoms[0], bottoms[1], self._factor, dbottoms[0])

"""Classification losses other than softmax, which is in ``softmax``."""

from __future__ import annotations

import math
from collections.abc import Sequence

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.losses import GradientScale, Hinge, SigmoidCrossEntropy
from protonet.layers.base import Layer, Reads, Traits, shape_text
from protonet.layers.labels import Labels, check_labels
from protonet.layers.normalizer import Normalizer
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import HingeLossParameter, LossParameter

LEAST = 1e-20
"""The lower bound of probabilities in logarithms."""


class ItemLoss(Layer):
    """Base of losses over items (the first axis) with a value for each class."""

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
        LayerError: for a wrong number of labels, and, while running on the CPU, an invalid label.
    Differs:
        A label out of range is an error, not a stray read.
    """

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        squares = self.spec.hinge_loss_param.norm == HingeLossParameter.L2
        self._slope = self.scratch(self._rows)
        self._kernel = Hinge.make(self.device, self.dtype, *self._rows, squares)
        self._gradient_scale = GradientScale.make(self.device, self.dtype, math.prod(self._rows))

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
            self._gradient_scale.scale(self._slope, dtops[0], 1.0 / self._items, dbottoms[0])


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
        LayerError: for a wrong number of labels, and, while running on the CPU, an invalid label.
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
        xp.maximum(p, LEAST, out=p)
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

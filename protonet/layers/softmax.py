"""Softmax, alone and with its loss."""

from __future__ import annotations

import math
from collections.abc import Sequence

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.softmax import Softmax as Kernel
from protonet.layers.base import Layer, Reads, Traits
from protonet.layers.labels import ClassWeights, Labels, check_labels
from protonet.layers.normalizer import Normalizer
from protonet.layers.registry import register


def refuse_other_types(layer: Layer) -> None:
    """Raise LayerError for a normalize_type of happynear's fork other than softmax."""
    found = layer.spec.softmax_param.normalize_type
    if found != "Softmax":
        raise LayerError(
            f'expected normalize_type: "Softmax", got "{found}"',
            ("softmax_param", "normalize_type"),
            "others divide scores by their sum; use a Normalize layer",
        )


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
        softmax_param: axis (1; negative counts from the end); engine and normalize_type:
        "Softmax" are accepted and ignored.
    Raises:
        LayerError: for an axis out of range, or another normalize_type.
    Differs:
        not at all.
    """

    traits = Traits(backward_reads=frozenset({Reads.TOPS}), in_place=True)

    def setup(self) -> None:
        refuse_other_types(self)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        self.axis_of(shapes[0])
        return [shapes[0]]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._softmax = Kernel.make(self.device, self.dtype, shapes[0], self.axis_of(shapes[0]))

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self._softmax.forward(bottoms[0], tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            self._softmax.backward(tops[0], dtops[0], dbottoms[0])

    def axis_of(self, shape: Shape) -> int:
        return self.axis(shape, self.spec.softmax_param.axis, ("softmax_param", "axis"))


@register("LogSoftmax")
class LogSoftmax(Layer):
    """y = x - log(sum(exp(x))) along ``axis``: the logarithm of Softmax.

    Gradient: dx = dy - exp(y) sum(dy), with the sum along ``axis``.

    Bottom:
        x: any shape.
    Top:
        y: the shape of x. May be in place.
    Params:
        none.
    Spec:
        softmax_param: axis (1; negative counts from the end); engine and normalize_type:
        "Softmax" are accepted and ignored.
    Raises:
        LayerError: for an axis out of range, or another normalize_type.
    Differs:
        Caffe has no such layer.
    """

    traits = Traits(backward_reads=frozenset({Reads.TOPS}), in_place=True)

    def setup(self) -> None:
        refuse_other_types(self)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        self.axis_of(shapes[0])
        return [shapes[0]]

    def build(self, shapes: Sequence[Shape]) -> None:
        shape, axis = shapes[0], self.axis_of(shapes[0])
        self._seen = (math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]))
        self._raised = self.scratch(self._seen)
        self._one = self.scratch((self._seen[0], 1, self._seen[2]))

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, one = self.xp, self._one
        x, y = bottoms[0].reshape(self._seen), tops[0].reshape(self._seen)
        x.max(axis=1, keepdims=True, out=one)
        xp.subtract(x, one, out=y)
        xp.exp(y, out=self._raised)
        self._raised.sum(axis=1, keepdims=True, out=one)
        xp.log(one, out=one)
        xp.subtract(y, one, out=y)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is None:
            return
        y, dy, dx = (each.reshape(self._seen) for each in (tops[0], dtops[0], dbottoms[0]))
        self.xp.exp(y, out=self._raised)
        dy.sum(axis=1, keepdims=True, out=self._one)
        self.xp.multiply(self._raised, self._one, out=self._raised)
        self.xp.subtract(dy, self._raised, out=dx)

    def axis_of(self, shape: Shape) -> int:
        return self.axis(shape, self.spec.softmax_param.axis, ("softmax_param", "axis"))


@register("SoftmaxWithLoss")
class SoftmaxWithLoss(Layer):
    """L = -sum q log(max(p, 1.2e-38)) / Z over the items not ignored, with p = softmax(x).

    q is 1 for the label's class and 0 for others; with label_smoothing e, of C classes,
    (1 - e) q + e / C (Szegedy et al., CVPR 2016).
    With weight_by_label_freqs the sum and the gradient of an item are multiplied by the
    class_weighting of its label (SegNet).
    Z is, by ``normalization``: VALID, the items that count; FULL, all items; BATCH_SIZE, the
    product of the axes before the class axis; NONE, 1; PRE_FIXED, pre_fixed_normalizer; it is
    never below 1. WEIGHTS: the sum of the class_weighting of the items that count, 1 for 0.
    Gradient: dx = w (p - q) / Z, and 0 for items to ignore.

    Bottom:
        x: ... x C x ..., scores with the classes along ``axis``; label: one class 0 to C - 1
        for each item, of any shape with that count.
    Top:
        L: scalar; and, with a second top, p: the probabilities in the shape of x.
    Params:
        none.
    Spec:
        softmax_param: axis (1). loss_param: ignore_label (none), normalization (VALID),
        normalize (old: true is VALID, false is BATCH_SIZE), label_smoothing (0),
        pre_fixed_normalizer (1), weight_by_label_freqs (false), class_weighting (one for each
        class). loss_weight (1).
    Raises:
        LayerError: for an axis out of range, a wrong number of labels, a
        loss_weight for p, a label_smoothing outside 0 <= e < 1, weight_by_label_freqs without a
        class_weighting for each class, class_weighting without it, and, while running on the CPU,
        an invalid label.
    Differs:
        A second top needs no loss_weight; Caffe aborts without one. A label out of range is an
        error, not a stray read. label_smoothing is of NVIDIA's fork, which has it in the backward
        pass on its GPU alone, as e / (C - 1) for each class but the label's.
    """

    bottoms = (2, 2)
    tops = (0, 2)
    no_gradient = frozenset({1})
    traits = Traits(backward_reads=frozenset())
    is_loss = True

    def setup(self) -> None:
        refuse_other_types(self)
        spec = self.spec.loss_param
        self.ignore = spec.ignore_label if spec.HasField("ignore_label") else None
        self.smoothing = spec.label_smoothing
        if not 0 <= self.smoothing < 1:
            raise LayerError(
                f"expected 0 <= label_smoothing < 1, got {self.smoothing:g}",
                ("loss_param", "label_smoothing"),
            )
        if spec.class_weighting and not spec.weight_by_label_freqs:
            raise LayerError(
                "class_weighting without weight_by_label_freqs has no effect",
                ("loss_param", "class_weighting"),
                "set weight_by_label_freqs: true, or remove class_weighting",
            )
        if any(self.spec.loss_weight[1:]):
            raise LayerError(
                "the probabilities of the second top cannot be part of the objective",
                ("loss_weight", 1),
                "give it loss_weight: 0",
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        axis = self.axis_of(shapes[0])
        check_labels(self, shapes, axis)
        spec = self.spec.loss_param
        if spec.weight_by_label_freqs:
            ClassWeights.check(self, shapes[0][axis], needed=True)
        return [(), shapes[0]][: max(1, len(self.spec.top))]

    def build(self, shapes: Sequence[Shape]) -> None:
        shape = shapes[0]
        self._class_axis = self.axis_of(shape)
        self._labels = Labels(self, shape, self._class_axis, self.ignore)
        self._softmax = Kernel.make(self.device, self.dtype, shape, self._class_axis)
        self._p = self.scratch(shape)
        per_item = self._labels.shape
        self._per_item = self.scratch(per_item)
        self._factor = self.scratch(())
        batch = math.prod(shape[: self._class_axis])
        self._normalizer = Normalizer(self, math.prod(per_item), batch)
        weighs = self.spec.loss_param.weight_by_label_freqs
        self._weights = ClassWeights(self, self._labels) if weighs else None

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, labels, per_item = self.xp, self._labels, self._per_item
        labels.read(bottoms[1])
        weights = None if self._weights is None else self._weights.read()
        self._counts = labels.valid if weights is None else weights
        self._softmax.loss(
            bottoms[0], labels.indices, self._counts, self.smoothing, self._p, per_item
        )
        self._normalizer.count(labels.valid, weights)
        per_item.sum(out=tops[0])
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
        xp.divide(dtops[0], self._normalizer.value, out=self._factor)
        self._softmax.loss_gradient(
            self._p, self._labels.indices, self._counts, self.smoothing, self._factor, dx
        )

    def axis_of(self, shape: Shape) -> int:
        return self.axis(shape, self.spec.softmax_param.axis, ("softmax_param", "axis"))

"""Losses of distances to classes, of NormFace."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, Traits, shape_text
from protonet.layers.labels import Labels, check_labels
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import GeneralContrastiveParameter, GeneralTripletParameter


class _DistanceLoss(Layer):
    """Base of losses of distances to classes."""

    bottoms = (2, 2)
    tops = (0, 2)
    no_gradient = frozenset({1})
    is_loss = True
    traits = Traits(backward_reads=frozenset())
    field = ""
    undone: tuple[str, ...] = ()

    @property
    def param(self) -> GeneralContrastiveParameter | GeneralTripletParameter:
        """The layer's own message."""
        found: GeneralContrastiveParameter | GeneralTripletParameter = getattr(
            self.spec, self.field
        )
        return found

    def setup(self) -> None:
        for name in self.undone:
            if self.param.HasField(name) and getattr(self.param, name):
                raise LayerError(f"{name} is not supported", (self.field, name))
        for name in ("positive_weight", "negative_weight"):
            if not 0 <= getattr(self.param, name) < math.inf:
                raise LayerError(
                    f"expected {name} of 0 or more, got {getattr(self.param, name):g}",
                    (self.field, name),
                )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape = shapes[0]
        if len(shape) < 2 or math.prod(shape[2:]) != 1 or shape[1] < 2:
            raise LayerError(
                f"expected distances N x C to two classes or more, got "
                f"'{self.spec.bottom[0]}' {shape_text(shape)}",
                ("bottom", 0),
            )
        check_labels(self, shapes, 1)
        return [(), (2,)][: max(1, len(self.spec.top))]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._seen = shapes[0][:2]
        self._labels = Labels(self, self._seen, 1, None)
        self._own, self._mask = (self.scratch(self._seen, np.bool_) for _ in range(2))
        self._slope, self._work = self.scratch(self._seen), self.scratch(self._seen)
        self._of_items = self.scratch((self._seen[0], 1))
        self._sum = self.scratch(())

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            dx = dbottoms[0].reshape(self._seen)
            self.xp.multiply(self._slope, dtops[0], out=dx)
            self.xp.divide(dx, max(1, self._seen[0]), out=dx)

    def write_mean(self, values: Array, count: int, out: Array) -> None:
        """Write to ``out`` the sum of ``values`` over ``count``."""
        self.xp.sum(values, out=self._sum)
        self.xp.divide(self._sum, max(1, count), out=out)


@register("GeneralContrastiveLoss")
class GeneralContrastiveLoss(_DistanceLoss):
    """L = sum over items of (p min(T, max(0, d_own - a)) + q sum_others max(0, b - d)) / N.

    d_own is the distance to the label's class; p and q are positive_weight and negative_weight, a
    and b positive_margin and negative_margin, T positive_outlier_thresh. With
    exp_negative_weight, others below b count q exp(-d). Gradient: of L.

    Bottom:
        0: d, N x C x 1 x ..., distances to C classes. 1: label, one class for each item. No
        gradient.
    Top:
        0: L, scalar.
        1 (optional): 2 values, the means of min(T, max(0, d_own - a)) and of max(0, b - d) of
        others. It has no gradient, whatever its loss_weight.
    Params:
        none.
    Spec:
        general_contrastive_loss_param: positive_margin (0), negative_margin (1), positive_weight
        (1), negative_weight (1), positive_outlier_thresh (4), exp_negative_weight (false).
        loss_weight (1).
    Raises:
        LayerError: for weights below 0, d of less than two classes, a wrong number of labels,
        normalize_negative, max_negative_only, max_positive_only, positive_first,
        add_intra_mae, square, and, while running on the CPU, an invalid label.
    Differs:
        BVLC Caffe has no such layer; this is the one of happynear/caffe-windows, without the
        fields above and a third bottom. An own distance has a gradient where d_own - a < T, there
        where d_own < T.
    """

    field = "general_contrastive_loss_param"
    undone = (
        *("normalize_negative", "max_negative_only", "max_positive_only", "positive_first"),
        *("add_intra_mae", "square"),
    )

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, param, d = self.xp, self.spec.general_contrastive_loss_param, bottoms[0]
        d, (items, classes) = d.reshape(self._seen), self._seen
        own, mask, slope, work = self._own, self._mask, self._slope, self._work
        self._labels.read(bottoms[1])
        self._labels.one_hot(own)
        # Own distances: their loss and its gradient.
        xp.subtract(d, param.positive_margin, out=work)
        xp.greater(work, 0, out=mask)
        xp.logical_and(mask, own, out=mask)
        xp.minimum(work, param.positive_outlier_thresh, out=work)
        xp.multiply(work, mask, out=work)
        self.write_mean(work, items, self._sum)
        xp.multiply(self._sum, param.positive_weight, out=tops[0])
        if len(tops) > 1:
            tops[1][0] = self._sum
        xp.subtract(d, param.positive_margin, out=slope)
        xp.less(slope, param.positive_outlier_thresh, out=slope)
        xp.multiply(slope, mask, out=slope)
        xp.multiply(slope, param.positive_weight, out=slope)
        # Distances to other classes.
        xp.logical_not(own, out=own)
        xp.less(d, param.negative_margin, out=mask)
        xp.logical_and(mask, own, out=mask)
        xp.subtract(param.negative_margin, d, out=work)
        xp.multiply(work, mask, out=work)
        self.write_mean(work, items, self._sum)
        if len(tops) > 1:
            xp.divide(self._sum, classes - 1, out=tops[1][1:].reshape(()))
        if param.exp_negative_weight:
            xp.negative(d, out=work)
            xp.exp(work, out=work)
            xp.multiply(work, mask, out=work)
            self.write_mean(work, items, self._sum)
        else:
            xp.copyto(work, mask)
        xp.multiply(self._sum, param.negative_weight, out=self._sum)
        xp.add(tops[0], self._sum, out=tops[0])
        xp.multiply(work, param.negative_weight, out=work)
        xp.subtract(slope, work, out=slope)


@register("GeneralTripletLoss")
class GeneralTripletLoss(_DistanceLoss):
    """L = q sum over items and others of max(0, d_own + m - d) / N; hardest_only: the largest
    term of each item alone.

    d_own is the distance to the label's class, m is margin, q negative_weight. Gradient: of an
    other with a term above 0, -w q / N; of d_own w p / N, p positive_weight, where an other of
    the item has one, or always with add_center_loss. It is that of L with hardest_only, p = q
    and without add_center_loss.

    Bottom:
        0: d, N x C x 1 x ..., distances to C classes. 1: label, one class for each item. No
        gradient.
    Top:
        0: L, scalar.
        1 (optional): 2 values, the means of d_own and of d of others. It has no gradient,
        whatever its loss_weight.
    Params:
        none.
    Spec:
        general_triplet_loss_param: margin (0.2), add_center_loss (true), hardest_only (false),
        positive_weight (1), negative_weight (1). loss_weight (1).
    Raises:
        LayerError: for weights below 0, d of less than two classes, a wrong number of labels,
        positive_first, and, while running on the CPU, an invalid label.
    Differs:
        BVLC Caffe has no such layer; this is the one of happynear/caffe-windows, without
        positive_first and a third bottom.
    """

    field = "general_triplet_loss_param"
    undone = ("positive_first",)

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        self._place = self.scratch(self._seen[:1], np.int64)
        self._classes = self.scratch(self._seen[1:], np.int64)
        self.device.put_lazily(lambda: np.arange(self._seen[1]), self._classes)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, param, d = self.xp, self.spec.general_triplet_loss_param, bottoms[0]
        d, (items, classes) = d.reshape(self._seen), self._seen
        own, mask, slope, work, each = (
            *(self._own, self._mask, self._slope, self._work, self._of_items),
        )
        self._labels.read(bottoms[1])
        self._labels.one_hot(own)
        xp.multiply(d, own, out=work)
        xp.sum(work, axis=1, keepdims=True, out=each)
        if len(tops) > 1:
            self.write_mean(each, items, tops[1][:1].reshape(()))
            xp.subtract(d, work, out=slope)
            self.write_mean(slope, items * (classes - 1), tops[1][1:].reshape(()))
        # The terms.
        xp.subtract(each, d, out=work)
        xp.add(work, param.margin, out=work)
        xp.maximum(work, 0, out=work)
        xp.logical_not(own, out=mask)
        xp.multiply(work, mask, out=work)
        if param.hardest_only:
            # The first of the largest.
            xp.argmax(work, axis=1, out=self._place)
            xp.equal(self._place[:, None], self._classes, out=mask)
            xp.multiply(work, mask, out=work)
        xp.sum(work, out=self._sum)
        xp.multiply(self._sum, param.negative_weight / max(1, items), out=tops[0])
        # The slopes.
        xp.greater(work, 0, out=mask)
        xp.amax(mask, axis=1, keepdims=True, out=each)
        if param.add_center_loss:
            each.fill(1)
        xp.multiply(own, param.positive_weight, out=slope)
        xp.multiply(slope, each, out=slope)
        xp.multiply(mask, param.negative_weight, out=work)
        xp.subtract(slope, work, out=slope)

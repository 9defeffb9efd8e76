"""Losses of pairs: how far the values of two bottoms are apart."""

from __future__ import annotations

import math
from collections.abc import Sequence

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.losses import SquaredDistance
from protonet.layers.base import Layer, shape_text
from protonet.layers.registry import register


class PairLoss(Layer):
    """Base of the losses over the difference d of two bottoms with as many values per item."""

    bottoms = (2, 2)
    tops = (0, 1)
    backward_reads = frozenset()
    is_loss = True

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        for place, shape in enumerate(shapes[:2]):
            if not shape:
                raise LayerError("expected at least 1 axis, got a scalar", ("bottom", place))
        self._check_equal(shapes, [shape[0] for shape in shapes[:2]], "items in", "items")
        per_item = [math.prod(shape[1:]) for shape in shapes[:2]]
        self._check_equal(shapes, per_item, "values per item in", "per item")
        return [()]

    def _check_equal(
        self, shapes: Sequence[Shape], counts: Sequence[int], what: str, unit: str
    ) -> None:
        if counts[0] != counts[1]:
            found = [
                f"'{name}' {shape_text(shape)} ({count} {unit})"
                for name, shape, count in zip(self.spec.bottom, shapes, counts, strict=False)
            ]
            raise LayerError(
                f"expected as many {what} both bottoms, got {found[0]} and {found[1]}",
                ("bottom", 1),
                "the layer that makes the first must give what the second has",
            )

    def build(self, shapes: Sequence[Shape]) -> None:
        self._items = max(1, shapes[0][0])
        self._flat = (math.prod(shapes[0]),)
        self._difference = self.scratch(self._flat)
        self._factor = self.scratch(())
        self._distance = SquaredDistance.make(self.device, self.dtype, self._flat[0])

    def subtract(self, bottoms: Sequence[Array]) -> None:
        """Write a - b to the difference."""
        a, b = (bottom.reshape(self._flat) for bottom in bottoms[:2])
        self.xp.subtract(a, b, out=self._difference)

    def spread(
        self, slope: Array, dtops: Sequence[Array], dbottoms: Sequence[Array | None]
    ) -> None:
        """Write w slope / N to the gradient of a, and its negative to that of b."""
        for dx, sign in zip(dbottoms[:2], (1.0, -1.0), strict=True):
            if dx is not None:
                self._distance.spread(slope, dtops[0], sign / self._items, dx)


@register("EuclideanLoss")
class EuclideanLoss(PairLoss):
    """L = sum (a - b)^2 / (2 N), with N the items of the first axis.

    Gradients: da = w (a - b) / N, db = -da, with w the loss weight.

    Bottom:
        a: N x ..., predictions; b: N x ..., targets. The values of an item may be shaped
        differently in both, as in 10 x 2 and 10 x 1 x 1 x 2.
    Top:
        L: scalar.
    Params:
        none.
    Spec:
        no fields of its own; loss_weight (1).
    Raises:
        LayerError: when the items or the values of an item differ in number.
    Differs:
        not at all.
    """

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self._distance.forward(bottoms[0], bottoms[1], self._difference, tops[0], 0.5 / self._items)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        self.spread(self._difference, dtops, dbottoms)


@register("L1Loss")
class L1Loss(PairLoss):
    """L = sum |a - b| / N, with N the items of the first axis.

    Gradients: da = w sign(a - b) / N, db = -da, with w the loss weight.

    Bottom:
        a: N x ..., predictions; b: N x ..., targets, as many values per item.
    Top:
        L: scalar.
    Params:
        none.
    Spec:
        no fields of its own; loss_weight (1).
    Raises:
        LayerError: when the items or the values of an item differ in number.
    Differs:
        Caffe 1.0 has no such layer; NVIDIA's fork does.
    """

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        self._work = self.scratch(self._flat)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self.subtract(bottoms)
        self.xp.absolute(self._difference, out=self._work)
        self._work.sum(out=tops[0])
        self.xp.multiply(tops[0], 1.0 / self._items, out=tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        self.xp.sign(self._difference, out=self._work)
        self.spread(self._work, dtops, dbottoms)


@register("SmoothL1Loss")
class SmoothL1Loss(PairLoss):
    """L = sum v f(u (a - b)) / N, where f(d) is s d^2 / 2 for |d| < 1 / s, |d| - 1 / (2 s) beyond.

    s is sigma^2 (Girshick, Fast R-CNN, ICCV 2015). Gradients: da = w u v f'(d) / N, db = -da,
    with f'(d) = s d kept within -1 and 1, and w the loss weight.

    Bottom:
        a: N x ..., predictions; b: N x ..., targets, as many values per item; optional: u, the
        weights inside f, and v, those outside, each with as many values as a. u and v get no
        gradient.
    Top:
        L: scalar.
    Params:
        none.
    Spec:
        smooth_l1_loss_param: sigma (1); loss_weight (1).
    Raises:
        LayerError: when the items or the values of an item differ in number, or sigma is not
        above 0.
    Differs:
        Caffe 1.0 has no such layer; its forks for detectors do. Those that leave u out of the
        gradient agree with this one for weights of 0 and 1.
    """

    bottoms = (2, 4)
    no_gradient = frozenset({2, 3})

    def setup(self) -> None:
        sigma = self.spec.smooth_l1_loss_param.sigma
        if sigma <= 0:
            raise LayerError(
                f"expected a sigma above 0, got {sigma:g}", ("smooth_l1_loss_param", "sigma")
            )
        self.sharpness = sigma * sigma

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        for place, shape in enumerate(shapes[2:], start=2):
            if math.prod(shape) != math.prod(shapes[0]):
                raise LayerError(
                    f"expected as many weights in '{self.spec.bottom[place]}' as values in "
                    f"'{self.spec.bottom[0]}' ({shape_text(shapes[0])}), got {shape_text(shape)}",
                    ("bottom", place),
                )
        return super().infer(shapes)

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        self._slope, self._work = self.scratch(self._flat), self.scratch(self._flat)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, d, slope, work = self.xp, self._difference, self._slope, self._work
        weights = [bottom.reshape(self._flat) for bottom in bottoms[2:]]
        self.subtract(bottoms)
        if weights:
            xp.multiply(d, weights[0], out=d)
        xp.multiply(d, self.sharpness, out=slope)
        xp.maximum(slope, -1.0, out=slope)
        xp.minimum(slope, 1.0, out=slope)
        # f(d) = c (d - c / (2 s)) with c = f'(d).
        xp.multiply(slope, -0.5 / self.sharpness, out=work)
        xp.add(work, d, out=work)
        if len(weights) > 1:
            xp.multiply(slope, weights[1], out=slope)
        xp.dot(slope, work, out=tops[0])
        xp.multiply(tops[0], 1.0 / self._items, out=tops[0])
        if weights:
            xp.multiply(slope, weights[0], out=slope)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        self.spread(self._slope, dtops, dbottoms)


@register("ContrastiveLoss")
class ContrastiveLoss(PairLoss):
    """L = sum(y d^2 + (1 - y) max(margin - d, 0)^2) / (2 N), with d the length of an item's a - b.

    y is 1 for a pair that is alike, 0 for others (Hadsell et al., CVPR 2006). With
    legacy_version, the second term is max(margin - d^2, 0). Gradients: da = w (a - b) / N for
    pairs that are alike; else -w (margin - d) (a - b) / (N (d + 1e-4)) inside the margin (legacy:
    -w (a - b) / N) and 0 beyond it; db = -da.

    Bottom:
        a, b: N x ..., as many values per item; y: N values, which are cut to whole numbers. y
        gets no gradient.
    Top:
        L: scalar.
    Params:
        none.
    Spec:
        contrastive_loss_param: margin (1), legacy_version (false); loss_weight (1).
    Raises:
        LayerError: when the items or the values of an item differ in number, or there is not one
        y for each item.
    Differs:
        Any y other than 0 counts as alike, as in Caffe. The 1e-4, which is Caffe's, is in the
        gradient only.
    """

    bottoms = (3, 3)
    no_gradient = frozenset({2})

    def setup(self) -> None:
        spec = self.spec.contrastive_loss_param
        self.margin, self.legacy = spec.margin, spec.legacy_version

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        tops = super().infer(shapes)
        items, found = shapes[0][0], math.prod(shapes[2])
        if items != found:
            raise LayerError(
                f"expected one value in '{self.spec.bottom[2]}' for each of the {items} pairs, "
                f"got {shape_text(shapes[2])}",
                ("bottom", 2),
            )
        return tops

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        items = shapes[0][0]
        self._rows = (items, math.prod(shapes[0][1:]))
        self._slope = self.scratch(self._flat)
        self._alike, self._far, self._gap, self._length, self._term = (
            self.scratch((items, 1)) for _ in range(5)
        )

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, alike, far, gap, length = self.xp, self._alike, self._far, self._gap, self._length
        self.subtract(bottoms)
        xp.multiply(self._difference, self._difference, out=self._slope)
        self._slope.reshape(self._rows).sum(axis=1, out=length, keepdims=True)
        xp.trunc(bottoms[2].reshape(alike.shape), out=alike)
        xp.not_equal(alike, 0.0, out=alike)
        xp.subtract(1.0, alike, out=far)
        xp.multiply(length, alike, out=self._term)
        self._term.sum(out=tops[0])
        if not self.legacy:
            xp.sqrt(length, out=length)
        xp.subtract(self.margin, length, out=gap)
        xp.maximum(gap, 0.0, out=gap)
        xp.multiply(gap, far, out=gap)
        if self.legacy:
            xp.copyto(self._term, gap)
        else:
            xp.multiply(gap, gap, out=self._term)
        self._term.sum(out=self._factor)
        xp.add(tops[0], self._factor, out=tops[0])
        xp.multiply(tops[0], 0.5 / self._items, out=tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        # gap is 0 for pairs that are alike and beyond the margin.
        xp, term = self.xp, self._term
        if self.legacy:
            xp.sign(self._gap, out=term)
        else:
            xp.add(self._length, 1e-4, out=term)
            xp.divide(self._gap, term, out=term)
        xp.subtract(self._alike, term, out=term)
        rows = self._difference.reshape(self._rows)
        xp.multiply(rows, term, out=self._slope.reshape(self._rows))
        self.spread(self._slope, dtops, dbottoms)

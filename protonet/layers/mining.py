"""Online hard example mining: losses of single items, and selection of the hardest.

Source: Shrivastava et al., Training Region-based Object Detectors with Online Hard Example Mining,
CVPR 2016; daijifeng001/caffe-rfcn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, Traits, shape_text
from protonet.layers.normalizer import Normalizer
from protonet.layers.regions import check_regions
from protonet.layers.registry import register
from protonet.layers.softmax import SoftmaxWithLoss


@register("SoftmaxWithLossOHEM")
class SoftmaxWithLossOHEM(SoftmaxWithLoss):
    """SoftmaxWithLoss with one more top: each item's -log(max(p, 1.2e-38)) of its label.

    The third top tells which items are hard; it is not part of the objective and gets no gradient.
    It is 0 for ignored items. Everything else is as in SoftmaxWithLoss.

    Bottom:
        x: ... x C x ..., scores with the classes along ``axis``; label: one class 0 to C - 1
        for each item, of any shape with that count.
    Top:
        L: scalar; if named, p: the probabilities in the shape of x; if named, l: the loss
        of each item, in the shape of label.
    Params:
        none.
    Spec:
        softmax_param, loss_param and loss_weight as in SoftmaxWithLoss; PRE_FIXED is what R-FCN
        takes.
    Raises:
        LayerError: as SoftmaxWithLoss, and for a loss_weight for l.
    Differs:
        BVLC Caffe has no such layer; this is the one of R-FCN, which runs on GPUs alone.
    """

    tops = (0, 3)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [*super().infer(shapes), shapes[1]][: max(1, len(self.spec.top))]

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        super().forward(bottoms, tops)
        if len(tops) > 2:
            self.xp.negative(self._per_item.reshape(tops[2].shape), out=tops[2])


@register("SmoothL1LossOHEM")
class SmoothL1LossOHEM(Layer):
    """L = sum f(u (a - b)) / Z, where f(d) is d^2 / 2 for |d| < 1, |d| - 1 / 2 beyond.

    Z is, by ``normalization``: VALID and FULL, the items N H W; BATCH_SIZE, N; NONE, 1;
    PRE_FIXED, pre_fixed_normalizer. It is never below 1. Gradients: da = w u f'(d) / Z, db = -da,
    with f'(d) = d clipped to -1 and 1, and w the loss weight.

    Bottom:
        a: N x C x H x W (or N x C), predictions; b: the shape of a, targets; optional: u, the
        shape of a, weights, which get no gradient.
    Top:
        L: scalar; if named, l: N x 1 x H x W, the sum of f over the channels of each item,
        which gets no gradient.
    Params:
        none.
    Spec:
        loss_param: normalization (VALID), normalize (old: true is VALID, false is BATCH_SIZE),
        pre_fixed_normalizer (1). loss_weight (1).
    Raises:
        LayerError: for a of less than 2 or more than 4 axes, b or u of another shape, or a
        loss_weight for l.
    Differs:
        BVLC Caffe has no such layer; this is the one of R-FCN, which runs on GPUs alone and
        leaves u out of the gradient: both agree for weights of 0 and 1.
    """

    bottoms = (2, 3)
    tops = (0, 2)
    no_gradient = frozenset({2})
    traits = Traits(backward_reads=frozenset())
    is_loss = True

    def setup(self) -> None:
        if any(self.spec.loss_weight[1:]):
            raise LayerError(
                "the losses of items in the second top cannot be part of the objective",
                ("loss_weight", 1),
                "give it loss_weight: 0",
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        if not 2 <= len(shapes[0]) <= 4:
            raise LayerError(
                f"expected 2 to 4 axes, N x C x H x W, got '{self.spec.bottom[0]}' "
                f"{shape_text(shapes[0])}",
                ("bottom", 0),
            )
        full = [(*shape, 1, 1, 1)[: max(4, len(shape))] for shape in shapes]
        for place, shape in enumerate(full):
            if shape != full[0]:
                raise LayerError(
                    f"expected '{self.spec.bottom[place]}' in the shape of "
                    f"'{self.spec.bottom[0]}', {shape_text(shapes[0])}, got "
                    f"{shape_text(shapes[place])}",
                    ("bottom", place),
                )
        return [(), (full[0][0], 1, *full[0][2:])][: max(1, len(self.spec.top))]

    def build(self, shapes: Sequence[Shape]) -> None:
        shape = shapes[0]
        self._shape, self._inner = shape, math.prod(shape[2:])
        self._slope, self._errors = self.scratch(shape), self.scratch(shape)
        self._half, self._factor = self.scratch(shape), self.scratch(())
        self._normalizer = Normalizer(self, shape[0] * self._inner, shape[0])

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, slope, errors = self.xp, self._slope, self._errors
        a, b, u = (*(bottom.reshape(self._shape) for bottom in bottoms), None)[:3]
        xp.subtract(a, b, out=errors)
        if u is not None:
            xp.multiply(errors, u, out=errors)
        xp.clip(errors, -1, 1, out=slope)
        # f(d) = c (d - c / 2) with c = f'(d).
        xp.multiply(slope, -0.5, out=self._half)
        xp.add(errors, self._half, out=errors)
        xp.multiply(errors, slope, out=errors)
        errors.sum(out=tops[0])
        xp.divide(tops[0], self._normalizer.value, out=tops[0])
        if len(tops) > 1:
            flat = errors.reshape(*self._shape[:2], self._inner)
            flat.sum(axis=1, out=tops[1].reshape(self._shape[0], self._inner))
        if u is not None:
            xp.multiply(slope, u, out=slope)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        for dx, sign in zip(dbottoms[:2], (1.0, -1.0), strict=True):
            if dx is not None:
                self.xp.divide(dtops[0], self._normalizer.value, out=self._factor)
                self._factor *= sign
                self.xp.multiply(self._slope, self._factor, out=dx.reshape(self._shape))


@register("BoxAnnotatorOHEM")
class BoxAnnotatorOHEM(Layer):
    """For each image, the roi_per_img regions of highest loss keep label and weights.

    Others get ignore_label and weights of 0. There is no gradient. Computed on the host, also if
    the net runs on a GPU.

    Bottom:
        0: regions, R x 5 (or R x 5 x h x w), of which only the first value, the image, is used.
        1: losses, R x 1 (x h x w).
        2: labels, R x 1 (x h x w).
        3: weights, R x D (x h x w).
    Top:
        0: labels, the shape of bottom 2.
        1: weights, the shape of bottom 3.
    Params:
        none.
    Spec:
        box_annotator_ohem_param: roi_per_img (required), ignore_label (-1).
    Raises:
        LayerError: without roi_per_img, for bottoms of invalid shapes, or a loss_weight.
    Differs:
        BVLC Caffe has no such layer; this is the one of R-FCN, which runs on GPUs alone. Of
        regions of equal loss the first come first; the fork's sort is not stable.
    """

    bottoms = (4, 4)
    tops = (2, 2)
    no_gradient = frozenset({0, 1, 2, 3})
    traits = Traits(backward_reads=frozenset(), capturable=False)

    def setup(self) -> None:
        if not self.spec.box_annotator_ohem_param.roi_per_img:
            raise LayerError(
                "roi_per_img is missing: expected 1 or more",
                ("box_annotator_ohem_param",),
                "such as roi_per_img: 128",
            )
        if any(self.spec.loss_weight):
            raise LayerError(
                "labels have no gradient and cannot be part of the objective", ("loss_weight",)
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        regions, inner = shapes[0][0] if shapes[0] else 0, math.prod(shapes[0][2:])
        if shapes[0][1:2] != (5,):
            check_regions(self, shapes[0], 0)
        for place, what in ((1, "one loss"), (2, "one label")):
            if math.prod(shapes[place]) != regions * inner or shapes[place][:1] != (regions,):
                raise self._misfit(shapes, place, f"{what} for each of {regions * inner} regions")
        if shapes[3][:1] != (regions,) or shapes[3][2:] != shapes[0][2:] or len(shapes[3]) < 2:
            raise self._misfit(shapes, 3, f"weights of each of {regions * inner} regions")
        return [shapes[2], shapes[3]]

    def _misfit(self, shapes: Sequence[Shape], place: int, expected: str) -> LayerError:
        return LayerError(
            f"expected {expected} in '{self.spec.bottom[place]}', got {shape_text(shapes[place])}",
            ("bottom", place),
        )

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        regions, losses, labels, weights = (
            np.asarray(self.device.get(bottom)) for bottom in bottoms
        )
        param = self.spec.box_annotator_ohem_param
        count, inner = len(regions), math.prod(regions.shape[2:])
        image = np.trunc(regions.reshape(count, 5, inner)[:, 0]).reshape(-1)
        order = np.argsort(-losses.reshape(-1), kind="stable")
        kept = np.zeros(len(order), bool)
        for each in np.unique(image):
            kept[order[image[order] == each][: param.roi_per_img]] = True
        flat = labels.reshape(-1)
        self.device.put(np.where(kept, flat, flat.dtype.type(param.ignore_label)), tops[0])
        mask = kept.reshape(count, 1, inner)
        self.device.put(weights.reshape(count, weights.shape[1], inner) * mask, tops[1])

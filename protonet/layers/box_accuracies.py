"""How well the boxes of MS-CNN and Cascade R-CNN are classified and placed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, Traits, shape_text
from protonet.layers.box_maps import MapLayer, check_rows, overlap_of
from protonet.layers.box_stages import normalization_of
from protonet.layers.registry import register


class _MapAccuracy(MapLayer):
    """Base of layers that measure maps; without gradients."""

    tops = (1, 2)

    def setup(self) -> None:
        super().setup()
        self.no_gradient = frozenset(range(len(self.spec.bottom)))
        if any(self.spec.loss_weight):
            raise LayerError(
                "an accuracy has no gradient and cannot be part of the objective",
                ("loss_weight",),
            )

    @property
    def best(self) -> int:
        """How many of the best classes count."""
        return 1

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        self.check(shapes)
        tops: list[Shape] = [(1, 1, 1, 2), (1, 1, 1, 1)]
        return tops[: len(self.spec.top)]

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        scores, offsets, labels = self.maps(bottoms)
        param = self.param
        target = labels.target[:, :, None]
        own = np.take_along_axis(scores, target, axis=2)
        classes = np.arange(self.classes)[:, None, None]
        # Of equal scores one class comes first: in Caffe's order.
        ahead = classes > target if self.last_first else classes < target
        right = ((scores > own) | ((scores == own) & ahead)).sum(axis=2) < self.best
        right &= ~np.isnan(own[:, :, 0])
        counted = labels.background(param.bg_threshold) | labels.objects
        marks = [_mean(right[cells]) for cells in (counted, counted & (labels.kind != 0))]
        self.device.put(np.array(marks).reshape(tops[0].shape), tops[0])
        for top in tops[1:]:
            with np.errstate(all="ignore"):
                found = self.fields.decode(offsets, param.field_xyr, param.field_whr)
            boxes, truths = (
                np.moveaxis(each, 2, -1)[labels.objects] for each in (found, labels.boxes)
            )
            top[...] = _mean(overlap_of(boxes, truths))

    last_first: ClassVar[bool]
    """Whether the last of equal scores is the best."""


def _mean(values: Array) -> float:
    """The mean; -1 for none."""
    return float(values.mean()) if len(values) else -1.0


@register("DetectionAccuracy")
class DetectionAccuracy(_MapAccuracy):
    """How well the map of one kind of box is classified and placed (MS-CNN, Cai et al., 2016).

    A cell is right if its class is among the top_k best scores. Background that overlaps an
    object by bg_threshold or more does not count. The box of a cell is that of BoxOutput; its
    overlap is the intersection over union with the object's. There is no gradient.

    Bottom:
        0: N x (K + 4) x H x W, scores of K classes, the background first, and offsets.
        1: N x 6 x H x W, labels: class, x and y of the centre, width, height, overlap.
    Top:
        0: 1 x 1 x 1 x 2: the share of right cells, and that of right cells among objects.
        1 (optional): 1 x 1 x 1 x 1, the mean overlap of objects. -1 where there is no cell.
    Params:
        none.
    Spec:
        detection_accuracy_param: cls_num (K, required), field_w and field_h (required),
        downsample_rate (required), top_k (1), field_whr (2), field_xyr (4), bg_threshold (0.5),
        objectness (false; true: all classes are 1), coord_num (4).
        bbox_reg_param: bbox_mean and bbox_std (offsets are as they are).
        loss_param: ignore_label (none).
    Raises:
        LayerError: without cls_num, a field or downsample_rate, for settings out of range,
        bottoms of invalid shapes, a loss_weight; and, while running, for an invalid class.
    Differs:
        BVLC Caffe has no such layer; this is the one of zhaoweicai/mscnn.
    """

    bottoms = (2, 2)
    field = "detection_accuracy_param"
    grouped = False
    last_first = True

    @property
    def best(self) -> int:
        return int(self.spec.detection_accuracy_param.top_k)

    def setup(self) -> None:
        super().setup()
        if not 1 <= self.best <= self.classes:
            raise LayerError(
                f"expected top_k of 1 to {self.classes}, got {self.best}", (self.field, "top_k")
            )


@register("DetectionGroupAccuracy")
class DetectionGroupAccuracy(_MapAccuracy):
    """How well the maps of a group of anchors are classified and placed (Cascade R-CNN).

    As DetectionAccuracy, with the best score alone. There is no gradient.

    Bottom:
        0: (N G) x K x H x W, scores of K classes at G anchors, the background first.
        1: (N G) x 4 x H x W, offsets.
        2: (N G) x 6 x H x W, labels: class, x and y of the centre, width, height, overlap.
    Top:
        0: 1 x 1 x 1 x 2: the share of right cells, and that of right cells among objects.
        1 (optional): 1 x 1 x 1 x 1, the mean overlap of objects. -1 where there is no cell.
    Params:
        none.
    Spec:
        detection_group_accuracy_param: cls_num (K, required), field_w and field_h (one for each
        anchor), stride (required), field_whr (2), field_xyr (4), bg_threshold (0.5), objectness
        (false; true: all classes are 1).
        bbox_reg_param: bbox_mean and bbox_std (offsets are as they are).
        loss_param: ignore_label (none).
    Raises:
        LayerError: without cls_num, fields or stride, for settings out of range, bottoms of
        invalid shapes, a loss_weight; and, while running, for an invalid class.
    Differs:
        BVLC Caffe has no such layer; this is the one of zhaoweicai/cascade-rcnn. Boxes that lie
        side by side overlap by the fraction of a pixel here.
    """

    bottoms = (3, 3)
    field = "detection_group_accuracy_param"
    grouped = True
    last_first = False


@register("BboxAccuracy")
class BboxAccuracy(Layer):
    """The mean overlap of regions with their objects, after and before the offsets of a class.

    The box is decoded from the region as in DecodeBBox; overlap is intersection over union.
    Regions that overlap their object by more than 0.975, which are objects, do not count. There
    is no gradient.

    Bottom:
        0: offsets, R x (4 K) x ...; with cls_aware: false R x 8 x ..., background and objects.
        1: regions, R x 5 x ...: image, xmin, ymin, xmax, ymax.
        2: truths, R x 6 x ...: class (0: none), xmin, ymin, xmax, ymax, overlap.
    Top:
        0: 1 x 1 x 1 x 1, the mean overlap of the decoded boxes; -1 where no region has an object.
        1 (optional): 1 x 1 x 1 x 1, that of the regions.
    Params:
        none.
    Spec:
        bbox_reg_param: bbox_mean and bbox_std (offsets are as they are), cls_aware (true).
    Raises:
        LayerError: for bottoms of invalid shapes, a loss_weight; and, while running, for a class
        without offsets.
    Differs:
        BVLC Caffe has no such layer; this is the one of zhaoweicai/mscnn and cascade-rcnn.
    """

    bottoms = (3, 3)
    tops = (1, 2)
    no_gradient = frozenset({0, 1, 2})
    traits = Traits(backward_reads=frozenset(), capturable=False)

    def setup(self) -> None:
        self.deviation, self.mean = normalization_of(self.spec)
        if any(self.spec.loss_weight):
            raise LayerError(
                "an accuracy has no gradient and cannot be part of the objective",
                ("loss_weight",),
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        check_rows(self.spec, shapes, (None, 5, 6))
        values = math.prod(shapes[0][1:])
        aware = self.spec.bbox_reg_param.cls_aware
        if not values or values % 4 or (not aware and values != 8):
            raise LayerError(
                f"expected R x {'(4 K)' if aware else '8'} in '{self.spec.bottom[0]}', got "
                f"{shape_text(shapes[0])}",
                ("bottom", 0),
            )
        return [(1, 1, 1, 1)] * len(self.spec.top)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        offsets, regions, truths = (
            np.asarray(self.device.get(bottom), np.float64).reshape(len(bottom), -1)
            for bottom in bottoms
        )
        kind = np.trunc(truths[:, 0])
        chosen = (kind > 0) & ~(truths[:, 5] > 0.975)
        kind = kind[chosen]
        if not self.spec.bbox_reg_param.cls_aware:
            kind = np.minimum(kind, 1)
        most = offsets.shape[1] // 4
        if (kind >= most).any():
            raise LayerError(
                f'layer "{self.name}" ({self.type}): expected classes 0 to {most - 1} in '
                f"'{self.spec.bottom[2]}', got {kind.max():g}",
                ("bottom", 2),
            )
        sets = offsets.reshape(len(offsets), most, 4)[chosen, kind.astype(int)]
        given, objects = _centred(regions[chosen, 1:]), _centred(truths[chosen, 1:5])
        with np.errstate(all="ignore"):
            moved = sets * self.deviation + self.mean
            shift = moved[:, :2] * given[:, 2:] + given[:, :2]
            boxes = np.concatenate([shift, given[:, 2:] * np.exp(moved[:, 2:])], axis=1)
        for top, found in zip(tops, (boxes, given), strict=False):
            top[...] = _mean(overlap_of(found, objects))


def _centred(corners: Array) -> Array:
    """Corners (M, 4), last pixels included, as centre and extents."""
    extents = corners[:, 2:] - corners[:, :2] + 1
    return np.concatenate([corners[:, :2] + extents / 2, extents], axis=1)

"""Boxes between the stages of Cascade R-CNN: decoding of offsets, selection by scale."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, Traits, shape_text
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import LayerParameter


def normalization_of(spec: LayerParameter) -> tuple[np.ndarray, np.ndarray]:
    """The std and mean of offsets in bbox_reg_param.

    Raises:
        LayerError: unless there are four of each, and each std is above 0.
    """
    param = spec.bbox_reg_param
    if not param.bbox_mean or not param.bbox_std:
        return np.ones(4), np.zeros(4)
    for name in ("bbox_mean", "bbox_std"):
        if len(getattr(param, name)) != 4:
            raise LayerError(
                f"expected four {name}, got {len(getattr(param, name))}",
                ("bbox_reg_param", name),
            )
    if not all(0 < each < math.inf for each in param.bbox_std):
        raise LayerError("expected each bbox_std above 0", ("bbox_reg_param", "bbox_std"))
    return np.array(param.bbox_std), np.array(param.bbox_mean)


class BoxLayer(Layer):
    """Base: rows of boxes whose number depends on values; without gradients."""

    traits = Traits(backward_reads=frozenset(), dynamic=True)
    _rows: list[Array]

    def read_normalization(self) -> tuple[np.ndarray, np.ndarray]:
        """The std and mean of offsets."""
        if any(self.spec.loss_weight):
            raise LayerError(
                "boxes have no gradient and cannot be part of the objective", ("loss_weight",)
            )
        return normalization_of(self.spec)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        for host, top in zip(self._rows, tops, strict=True):
            self.device.put(host.astype(top.dtype), top)


@register("DecodeBBox")
class DecodeBBox(BoxLayer):
    """Boxes decoded from offsets at regions, for the next stage of a cascade.

    The centre of a region moves by the first two offsets of its second class times its extents,
    which are multiplied by e to the other two; last pixels belong to regions and boxes. There is
    no gradient.

    Bottom:
        0: offsets, R x 8 x ..., of the background and of objects.
        1: regions, R x 5 x ...: image, xmin, ymin, xmax, ymax.
        2 (optional, TRAIN): truths, R x ..., whose last value is the overlap with the region.
    Top:
        rows: R x 5 x ...; in TRAIN without boxes that end before they begin, and without regions
        that overlap their truth by gt_iou_thr or more.
    Params:
        none.
    Spec:
        bbox_reg_param: bbox_mean and bbox_std (offsets are as they are). decode_bbox_param:
        gt_iou_thr (0.95).
    Raises:
        LayerError: for bottoms of invalid shapes, truths in TEST, or invalid settings.
    Differs:
        BVLC Caffe has no such layer; this is the one of zhaoweicai/mscnn and cascade-rcnn. Where
        no box is left, there are no rows; there it is an error.
    """

    bottoms = (2, 3)

    def setup(self) -> None:
        self.no_gradient = frozenset({0, 1, 2})
        self.deviation, self.mean = self.read_normalization()
        if len(self.spec.bottom) > 2 and not self.training:
            raise LayerError("truths are for phase TRAIN alone", ("bottom", 2))

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        for place, (shape, values) in enumerate(zip(shapes, (8, 5, None), strict=False)):
            inner = math.prod(shape[1:])
            if not shape or shape[0] != shapes[1][0] or inner != (values or inner) or not inner:
                raise LayerError(
                    f"expected R x {values or '...'} in '{self.spec.bottom[place]}', one row for "
                    f"each region, got {shape_text(shape)}",
                    ("bottom", place),
                )
        return [shapes[1]]

    def measure(self, bottoms: Sequence[Array]) -> list[Shape]:
        """Compute the boxes, which ``forward`` then writes."""
        offsets, regions, *truths = (
            np.asarray(self.device.get(bottom)).reshape(len(bottom), -1) for bottom in bottoms
        )
        with np.errstate(all="ignore"):
            moved = offsets[:, 4:].astype(np.float64) * self.deviation + self.mean
            start, end = regions[:, 1:3].astype(np.float64), regions[:, 3:]
            extent = end - start + 1
            size = extent * np.exp(moved[:, 2:])
            first = moved[:, :2] * extent + (start + end) / 2 - (size - 1) / 2
            boxes = np.concatenate([regions[:, :1], first, first + size - 1], axis=1)
            if self.training:
                kept = ~(boxes[:, 1:3] > boxes[:, 3:]).any(axis=1)
                if truths:
                    kept &= ~(truths[0][:, -1] >= self.spec.decode_bbox_param.gt_iou_thr)
                boxes = boxes[kept]
        self._rows = [boxes.reshape(len(boxes), *bottoms[1].shape[1:])]
        return [self._rows[0].shape]


@register("ScaleRoute")
class ScaleRoute(BoxLayer):
    """The regions whose scale, sqrt(width height), is from low_scale up to high_scale.

    Where there is none, the one whose scale is nearest to the middle, in octaves. There is no
    gradient.

    Bottom:
        0: regions, R x 5 x ...: image, xmin, ymin, xmax, ymax. More: R x ..., anything.
    Top:
        one for each bottom: the selected rows.
    Params:
        none.
    Spec:
        scale_route_param: low_scale (none), high_scale (none). The middle is the root of their
        product, the one that is given, or 256.
    Raises:
        LayerError: for a wrong number of tops, bottoms of invalid shapes, or invalid scales.
    Differs:
        BVLC Caffe has no such layer; this is the one of zhaoweicai/cascade-rcnn.
    """

    bottoms = (1, None)
    tops = (1, None)

    def setup(self) -> None:
        self.read_normalization()
        self.no_gradient = frozenset(range(len(self.spec.bottom)))
        param = self.spec.scale_route_param
        ends = [name for name in ("low_scale", "high_scale") if param.HasField(name)]
        given = [getattr(param, name) for name in ends]
        if any(not 0 < each < math.inf for each in given) or given != sorted(given):
            raise LayerError(
                f"expected 0 < low_scale <= high_scale, got {' and '.join(map(str, given))}",
                ("scale_route_param", ends[0]),
            )
        self.low = param.low_scale if "low_scale" in ends else 0.0
        self.high = param.high_scale if "high_scale" in ends else math.inf
        self.middle = math.prod(given) ** (1 / len(given)) if given else 256.0
        if len(self.spec.top) != len(self.spec.bottom):
            raise LayerError(
                f"expected a top for each of {len(self.spec.bottom)} bottoms, got "
                f"{len(self.spec.top)}",
                ("top",),
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        for place, shape in enumerate(shapes):
            if not shape or shape[0] != shapes[0][0] or (not place and math.prod(shape[1:]) != 5):
                raise LayerError(
                    f"expected {'R x 5' if not place else 'a row for each region'}, got "
                    f"'{self.spec.bottom[place]}' {shape_text(shape)}",
                    ("bottom", place),
                )
        return list(shapes)

    def measure(self, bottoms: Sequence[Array]) -> list[Shape]:
        """Select the rows, which ``forward`` then writes."""
        hosts = [np.asarray(self.device.get(bottom)) for bottom in bottoms]
        regions = hosts[0].reshape(-1, 5).astype(np.float64)
        extents = np.maximum(regions[:, 3:] - regions[:, 1:3] + 1, 0)
        extents[(regions[:, 3:] < regions[:, 1:3]).any(axis=1)] = 0
        scales = np.sqrt(extents.prod(axis=1))
        chosen = (scales >= self.low) & (scales < self.high)
        if len(scales) and not chosen.any():
            with np.errstate(divide="ignore"):
                chosen[np.abs(np.log2(scales / self.middle)).argmin()] = True
        self._rows = [host[chosen] for host in hosts]
        return [each.shape for each in self._rows]

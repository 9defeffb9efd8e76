"""Maps of scores, offsets and labels of boxes, of MS-CNN and Cascade R-CNN: what layers share.

Source: zhaoweicai/mscnn and zhaoweicai/cascade-rcnn, src/caffe/layers and src/caffe/util.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, Traits, shape_text
from protonet.layers.box_stages import normalization_of
from protonet.proto.caffe_pb2 import LayerParameter

_LEAST_EXTENT = 2.0
"""Boxes with smaller sides are encoded as if they were as large as this."""


@dataclass(frozen=True)
class Fields:
    """The boxes around the cells of maps: extents (G, 2), width and height, of G kinds.

    Boxes are centre and extents (..., G, 4, H, W); offsets are the distance of the centres in
    extents of the field and the logarithms of extent / extent, less ``mean``, over ``deviation``.
    """

    extents: Array
    stride: int
    deviation: Array
    mean: Array

    def encode(self, boxes: Array) -> Array:
        """The offsets of boxes."""
        shift = (boxes[..., :2, :, :] - self._centres(boxes.shape)) / self._extents
        grown = np.log(np.maximum(boxes[..., 2:, :, :], _LEAST_EXTENT) / self._extents)
        offsets = np.concatenate([shift, grown], axis=-3)
        encoded: Array = (offsets - self.mean[:, None, None]) / self.deviation[:, None, None]
        return encoded

    def decode(self, offsets: Array, shift: float, growth: float) -> Array:
        """The inverse of ``encode``: centres move by at most 1 / ``shift`` fields, and extents
        change by at most the factor ``growth``.
        """
        moved = offsets * self.deviation[:, None, None] + self.mean[:, None, None]
        start = np.clip(moved[..., :2, :, :], -1 / shift, 1 / shift) * self._extents
        limit = math.log(growth)
        grown = self._extents * np.exp(np.clip(moved[..., 2:, :, :], -limit, limit))
        return np.concatenate([start + self._centres(offsets.shape), grown], axis=-3)

    def bound(self, offsets: Array, shift: float, growth: float) -> Array:
        """Offsets clipped as the losses do it: by the mean of both axes' normalizations."""
        limits = np.repeat([1 / shift, math.log(growth)], 2)[:, None, None]
        mean, deviation = self.mean.copy(), self.deviation.copy()
        for pair in (slice(0, 2), slice(2, 4)):
            mean[pair] = self.mean[pair].mean()
            deviation[pair] = math.sqrt(self.deviation[pair].prod())
        mean, deviation = mean[:, None, None], deviation[:, None, None]
        clipped: Array = np.clip(offsets, (-limits - mean) / deviation, (limits - mean) / deviation)
        return clipped

    @property
    def _extents(self) -> Array:
        return self.extents[:, :, None, None]

    def _centres(self, shape: Shape) -> Array:
        rows, columns = np.mgrid[: shape[-2], : shape[-1]]
        centres: Array = (np.stack([columns, rows]) + 0.5) * self.stride
        return centres


@dataclass(frozen=True)
class MapLabels:
    """Label maps of N images and G kinds of boxes.

    Attributes:
        kind: (N, G, H, W), the class of each cell; 0 is background.
        target: the same, with 1 for every object where the net knows objects alone.
        boxes: (N, G, 4, H, W), centre and extents of the object of each cell.
        overlap: (N, G, H, W), of the cell's box with it.
        counted: (N, G, H, W), false for cells with the ignored label.
    """

    kind: Array
    target: Array
    boxes: Array
    overlap: Array
    counted: Array

    @property
    def objects(self) -> Array:
        """Cells of objects."""
        cells: Array = self.counted & (self.kind > 0)
        return cells

    def background(self, threshold: float) -> Array:
        """Cells of background whose overlap with any object is below ``threshold``."""
        cells: Array = self.counted & (self.kind == 0) & (self.overlap < threshold)
        return cells


class MapLayer(Layer):
    """Base of layers that compare maps of scores and offsets with label maps.

    Bottoms are N x (K + 4) x H x W and N x 6 x H x W; or, ``grouped``, (N G) x K x H x W,
    (N G) x 4 x H x W and (N G) x 6 x H x W.
    """

    traits = Traits(backward_reads=frozenset(), capturable=False)
    field: ClassVar[str]
    grouped: ClassVar[bool]

    @property
    def param(self) -> Any:
        """The layer's own message."""
        return getattr(self.spec, self.field)

    def setup(self) -> None:
        param = self.param
        self.no_gradient = frozenset({2 if self.grouped else 1})
        self.classes = int(param.cls_num)
        if self.classes < 2 or (param.objectness and self.classes != 2):
            raise LayerError(
                f"expected cls_num {'2 for objectness' if param.objectness else 'of 2 or more'}, "
                f"the background among them, got {self.classes}",
                (self.field, "cls_num"),
            )
        for name, least in (("field_whr", 1.0), ("field_xyr", 0.0)):
            if not least < getattr(param, name) < math.inf:
                raise LayerError(
                    f"expected {name} above {least:g}, got {getattr(param, name):g}",
                    (self.field, name),
                )
        if not self.grouped and param.coord_num != 4:
            raise LayerError(
                f"expected coord_num 4, got {param.coord_num}", (self.field, "coord_num")
            )
        self.fields = self._read_fields()

    def _read_fields(self) -> Fields:
        param, stride = self.param, "stride" if self.grouped else "downsample_rate"
        widths, heights = (
            list(getattr(param, name)) if self.grouped else [getattr(param, name)]
            for name in ("field_w", "field_h")
        )
        if len(widths) != len(heights) or not widths or 0 in (*widths, *heights):
            raise LayerError(
                "expected as many field_w as field_h, each above 0, got "
                f"{', '.join(map(str, widths)) or 'none'} and "
                f"{', '.join(map(str, heights)) or 'none'}",
                (self.field,),
            )
        if not getattr(param, stride):
            raise LayerError(f"expected a {stride} above 0, got 0", (self.field,))
        extents = np.array([widths, heights], float).T
        return Fields(extents, int(getattr(param, stride)), *normalization_of(self.spec))

    def check(self, shapes: Sequence[Shape]) -> None:
        """LayerError for bottoms of invalid shapes."""
        count = len(self.fields.extents)
        wanted = [self.classes, 4, 6] if self.grouped else [self.classes + 4, 6]
        first = shapes[0]
        for place, (shape, channels) in enumerate(zip(shapes, wanted, strict=True)):
            fits = len(shape) == 4 and shape == (first[0], channels, *first[2:])
            if not fits or shape[0] % count:
                images = f"(N {count})" if self.grouped else "N"
                raise LayerError(
                    f"expected {images} x {channels} x H x W in '{self.spec.bottom[place]}', with "
                    f"one N, H and W for all, got {shape_text(shape)}",
                    ("bottom", place),
                )

    def maps(self, bottoms: Sequence[Array]) -> tuple[Array, Array, MapLabels]:
        """Scores (N, G, K, H, W), offsets (N, G, 4, H, W) and labels, on the host in float64."""
        hosts = [np.asarray(self.device.get(bottom), np.float64) for bottom in bottoms]
        if not self.grouped:
            scores, offsets = np.split(hosts[0], [self.classes], axis=1)
            hosts = [scores, offsets, hosts[1]]
        count = len(self.fields.extents)
        scores, offsets, labels = (
            host.reshape(-1, count, *host.shape[1:]) for host in hosts
        )  # fmt: skip
        return scores, offsets, self._read_labels(labels)

    def _read_labels(self, maps: Array) -> MapLabels:
        kind = np.trunc(maps[:, :, 0])
        counted = np.ones(kind.shape, bool)
        target = np.minimum(kind, 1) if self.param.objectness else kind
        if self.spec.loss_param.HasField("ignore_label"):
            counted = target != self.spec.loss_param.ignore_label
        wrong = counted & ~((target >= 0) & (target < self.classes))
        if wrong.any():
            place = 2 if self.grouped else 1
            raise LayerError(
                f'layer "{self.name}" ({self.type}): expected classes 0 to {self.classes - 1} in '
                f"'{self.spec.bottom[place]}', got {kind[wrong][0]:g}",
                ("bottom", place),
            )
        whole = np.where(counted, target, 0).astype(int)
        return MapLabels(kind, whole, maps[:, :, 1:5], maps[:, :, 5], counted)


def overlap_of(a: Array, b: Array) -> Array:
    """Intersection over union of boxes (M, 4) of centre and extents, pair by pair: (M,)."""
    starts = np.maximum(a[:, :2] - a[:, 2:] / 2, b[:, :2] - b[:, 2:] / 2)
    ends = np.minimum(a[:, :2] + a[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2)
    shared = np.maximum(ends - starts, 0).prod(axis=1)
    sizes = [np.maximum(each[:, 2:], 0).prod(axis=1) for each in (a, b)]
    union = sizes[0] + sizes[1] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=shared > 0)


def check_rows(spec: LayerParameter, shapes: Sequence[Shape], values: Sequence[int | None]) -> None:
    """LayerError unless each bottom has one row for each of the first's, of so many values."""
    for place, (shape, count) in enumerate(zip(shapes, values, strict=False)):
        inner = math.prod(shape[1:])
        if len(shape) < 2 or shape[0] != shapes[0][0] or inner != (count or inner):
            raise LayerError(
                f"expected R x {count or '...'} in '{spec.bottom[place]}', as many rows in all "
                f"bottoms, got {shape_text(shape)}",
                ("bottom", place),
            )

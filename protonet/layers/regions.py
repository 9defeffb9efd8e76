"""Layers that pool regions of a feature map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, Traits, shape_text
from protonet.layers.registry import register

_FARTHEST = 2.0**30
"""Coordinates are clipped to this: cells outside of the map do not count."""


def check_regions(layer: Layer, shape: Shape, place: int) -> int:
    """The number of regions in a bottom R x 5 (or R x 5 x 1 x 1)."""
    if len(shape) < 2 or math.prod(shape[1:]) != 5:
        raise LayerError(
            f"expected regions, R x 5 of image, x1, y1, x2, y2, in '{layer.spec.bottom[place]}', "
            f"got {shape_text(shape)}",
            ("bottom", place),
        )
    return shape[0]


def read_regions(layer: Layer, rows: Array, images: int, place: int) -> tuple[Array, Array]:
    """The image of each region, (R,), and its corners in float32, (R, 4).

    Raises:
        LayerError: for an invalid image, or a corner that is NaN.
    """
    rows = rows.reshape(-1, 5)
    image = np.trunc(rows[:, 0])
    wrong = ~((image >= 0) & (image < images))
    found, expected = rows[:, 0], f"an image of 0 to {images - 1}"
    if not wrong.any():
        wrong = np.isnan(rows).any(axis=1)
        found, expected = np.full(len(rows), np.nan), "numbers"
    if wrong.any():
        row = int(wrong.argmax())
        raise LayerError(
            f'layer "{layer.name}" ({layer.type}): expected {expected} in region {row} of '
            f"'{layer.spec.bottom[place]}', got {found[row]:g}",
            ("bottom", place),
        )
    corners = np.clip(rows[:, 1:], -_FARTHEST, _FARTHEST).astype(np.float32)
    return image.astype(int), corners


def rounded(values: Array) -> Array:
    """To the nearest integer, halves away from 0, as C's ``round``."""
    result: Array = np.trunc(values + np.copysign(np.float32(0.5), values))
    return result


def _borders(start: Array, length: Array, count: int) -> Array:
    """First and end cell of each of ``count`` parts of (R,) lines, (2, R, count).

    Neighbours share a cell if their border is not an integer. Float32 as in the forks: there
    too the last bit decides which cells are in a part.
    """
    part = (length / np.float32(count)).astype(np.float32)[:, None]
    places = np.arange(count, dtype=np.float32)
    first = np.floor(places * part + start[:, None])
    end = np.ceil((places + np.float32(1)) * part + start[:, None])
    return np.stack([first, end])


class RegionPooling(Layer):
    """Base of layers that pool parts of boxes. Computed on the host."""

    bottoms = (2, 2)
    no_gradient = frozenset({1})
    traits = Traits(backward_reads=frozenset(), capturable=False)
    size: tuple[int, int]
    scale: np.float32

    def check_map(self, shapes: Sequence[Shape]) -> int:
        """The number of regions; LayerError unless the bottoms are a map and regions."""
        if len(shapes[0]) != 4:
            raise LayerError(
                f"expected a feature map, N x C x H x W, in '{self.spec.bottom[0]}', got "
                f"{shape_text(shapes[0])}",
                ("bottom", 0),
            )
        return check_regions(self, shapes[1], 1)

    def check_scale(self, scale: float, field: str) -> None:
        """Read the cells of the map for each pixel of the image."""
        if not 0 < scale < math.inf:
            raise LayerError(
                f"expected a spatial_scale above 0, got {scale:g}",
                (field, "spatial_scale"),
                "such as 0.0625 for a map of one cell for each 16 pixels",
            )
        self.scale = np.float32(scale)

    def check_size(self, param: Any, field: str) -> None:
        """Read pooled_h and pooled_w, the parts of a region."""
        for name in ("pooled_h", "pooled_w"):
            if not getattr(param, name):
                raise LayerError(
                    f"{name} is missing: expected 1 or more",
                    (field,),
                    "such as pooled_h: 7 pooled_w: 7",
                )
        self.size = (param.pooled_h, param.pooled_w)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [(self.check_map(shapes), shapes[0][1], *self.size)]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._map = shapes[0]

    def parts(self, corners: Array) -> tuple[Array, Array]:
        """First and end cell of each part, on the map: rows (2, R, P) and columns (2, R, Q)."""
        raise NotImplementedError

    def borders(self, start: Array, extent: Array) -> tuple[Array, Array]:
        """Starts and ends of the parts of rows and columns, for regions (R, 2) of x and y."""
        rows = _borders(start[:, 1], extent[:, 1], self.size[0])
        return rows, _borders(start[:, 0], extent[:, 0], self.size[1])

    def cells(self, rows: Array, columns: Array) -> tuple[Array, Array]:
        """Such borders, clipped to the map."""
        height, width = self._map[2:]
        return np.clip(rows, 0, height).astype(int), np.clip(columns, 0, width).astype(int)

    def read(self, rows: Array) -> None:
        """Read the regions of this pass."""
        host = np.asarray(self.device.get(rows))
        self._image, corners = read_regions(self, host, self._map[0], 1)
        self._parts = self.parts(corners)


@register("ROIPooling")
class ROIPooling(RegionPooling):
    """The maximum of each of P x Q parts of each region, channel by channel.

    A region's corners are multiplied by spatial_scale and rounded to cells, which belong to it;
    it has at least one row and one column. pad_ratio widens it before by that fraction of its size,
    at each side. Part p of P spans from floor(p h / P) to
    ceil((p + 1) h / P) of its h rows, and columns likewise. Parts outside of the map give 0.
    Gradient: dx of a cell is the sum of dy of the parts whose maximum it is; of equal
    ones the first, by rows.

    Bottom:
        0: x, N x C x H x W.
        1: regions, R x 5 (or R x 5 x 1 x 1): image, x1, y1, x2, y2 in pixels; no gradient.
    Top:
        y: R x C x P x Q.
    Params:
        none.
    Spec:
        roi_pooling_param: pooled_h (P, required), pooled_w (Q, required), spatial_scale (1),
        pad_ratio (0).
    Raises:
        LayerError: without pooled_h or pooled_w, for a spatial_scale that is not above 0, a
        pad_ratio below 0, bottoms of invalid shapes,
        and, while running, an invalid image or corners that are not numbers.
    Differs:
        BVLC Caffe has no such layer; this is the one of Fast R-CNN, which checks no region.
    """

    def setup(self) -> None:
        param = self.spec.roi_pooling_param
        self.pad = np.float32(param.pad_ratio)
        if not 0 <= param.pad_ratio < math.inf:
            raise LayerError(
                f"expected a pad_ratio of 0 or more, got {param.pad_ratio:g}",
                ("roi_pooling_param", "pad_ratio"),
            )
        self.check_size(param, "roi_pooling_param")
        self.check_scale(param.spatial_scale, "roi_pooling_param")

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        top = self.infer(shapes)[0]
        self._y = self.device.pinned(top, self.dtype)
        self._at = self.device.pinned(top, np.int64)

    def parts(self, corners: Array) -> tuple[Array, Array]:
        margin = (corners[:, 2:] - corners[:, :2] + np.float32(1)) * self.pad
        start = rounded((corners[:, :2] - margin) * self.scale)
        end = rounded((corners[:, 2:] + margin) * self.scale)
        extent = np.maximum(end - start + 1, 1)
        inner = self.borders(np.zeros_like(start), extent)
        return self.cells(inner[0] + start[:, 1, None], inner[1] + start[:, 0, None])

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        x = np.asarray(self.device.get(bottoms[0]))
        self.read(bottoms[1])
        (rows, columns), width = self._parts, self._map[3]
        for region, image in enumerate(self._image):
            for p, (top, bottom) in enumerate(rows[:, region].T):
                for q, (left, right) in enumerate(columns[:, region].T):
                    if bottom <= top or right <= left:
                        self._y[region, :, p, q], self._at[region, :, p, q] = 0, -1
                        continue
                    part = x[image, :, top:bottom, left:right].reshape(self._map[1], -1)
                    best = part.argmax(axis=1)
                    self._y[region, :, p, q] = np.take_along_axis(part, best[:, None], 1)[:, 0]
                    row, column = np.divmod(best, right - left)
                    self._at[region, :, p, q] = (top + row) * width + left + column
        self.device.put(self._y, tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is None:
            return
        images, channels, height, width = self._map
        dy = np.asarray(self.device.get(dtops[0]))
        inside = self._at >= 0
        plane = self._image[:, None] * channels + np.arange(channels)
        places = (plane[:, :, None, None] * (height * width) + self._at)[inside]
        sums = np.bincount(places, dy[inside], images * channels * height * width)
        self.device.put(sums.astype(self.dtype), dbottoms[0])


@register("PSROIPooling")
class PSROIPooling(RegionPooling):
    """The mean of each of G x G parts of each region, each part from a channel of its own.

    Output d at part (p, q) comes from channel (d G + p) G + q (Dai et al., R-FCN, NIPS 2016). A
    region reaches from round(x1) to round(x2) + 1, times spatial_scale, and is at least 0.1 cells
    wide and high; part p spans from floor(y + p h / G) to ceil(y + (p + 1) h / G). Parts outside
    of the map give 0. Gradient: dx of a cell is the sum of dy / cells over the parts it is in.

    Bottom:
        0: x, N x (D G G) x H x W.
        1: regions, R x 5 (or R x 5 x 1 x 1): image, x1, y1, x2, y2 in pixels; no gradient.
    Top:
        y: R x D x G x G.
    Params:
        none.
    Spec:
        psroi_pooling_param: output_dim (D, required), group_size (G, required), spatial_scale
        (required).
    Raises:
        LayerError: without output_dim, group_size or spatial_scale, for a wrong number of channels,
        bottoms of invalid shapes, and, while running, an invalid image or
        corners that are not numbers.
    Differs:
        BVLC Caffe has no such layer; this is the one of R-FCN, which checks no region.
    """

    def setup(self) -> None:
        param = self.spec.psroi_pooling_param
        for field in ("output_dim", "group_size"):
            if getattr(param, field) < 1:
                raise LayerError(
                    f"expected {field} of 1 or more, got {getattr(param, field)}",
                    ("psroi_pooling_param",),
                    "such as output_dim: 21 group_size: 7",
                )
        self.size = (param.group_size, param.group_size)
        self.check_scale(param.spatial_scale, "psroi_pooling_param")

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        regions = self.check_map(shapes)
        outputs, group = self.spec.psroi_pooling_param.output_dim, self.size[0]
        if shapes[0][1] != outputs * group * group:
            raise LayerError(
                f"expected {outputs * group * group} channels in '{self.spec.bottom[0]}', "
                f"output_dim {outputs} times group_size {group} squared, got "
                f"{shape_text(shapes[0])}",
                ("bottom", 0),
            )
        return [(regions, outputs, *self.size)]

    def build(self, shapes: Sequence[Shape]) -> None:
        super().build(shapes)
        self._y = self.device.pinned(self.infer(shapes)[0], self.dtype)
        self._dx = self.device.pinned(shapes[0], self.dtype)

    def parts(self, corners: Array) -> tuple[Array, Array]:
        start = rounded(corners[:, :2]) * self.scale
        end = (rounded(corners[:, 2:]) + np.float32(1)) * self.scale
        extent = np.maximum(end - start, np.float32(0.1))
        return self.cells(*self.borders(start, extent))

    def _each(self) -> list[tuple[int, int, int, int, tuple[slice, slice]]]:
        """Region, image, p, q and cells of each part that is not empty."""
        return [
            (region, int(image), p, q, (slice(top, bottom), slice(left, right)))
            for region, image in enumerate(self._image)
            for p, (top, bottom) in enumerate(self._parts[0][:, region].T)
            for q, (left, right) in enumerate(self._parts[1][:, region].T)
            if top < bottom and left < right
        ]

    def _split(self, x: Array) -> Array:
        """N x D x G x G x H x W."""
        return x.reshape(self._map[0], -1, *self.size, *self._map[2:])

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        x = self._split(np.asarray(self.device.get(bottoms[0])))
        self.read(bottoms[1])
        self._y.fill(0)
        for region, image, p, q, cells in self._each():
            self._y[region, :, p, q] = x[image, :, p, q][:, cells[0], cells[1]].mean(axis=(1, 2))
        self.device.put(self._y, tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is None:
            return
        dy, dx = np.asarray(self.device.get(dtops[0])), self._split(self._dx)
        dx.fill(0)
        for region, image, p, q, cells in self._each():
            part = dx[image, :, p, q][:, cells[0], cells[1]]
            part += dy[region, :, p, q, None, None] / (part.shape[1] * part.shape[2])
        self.device.put(self._dx, dbottoms[0])

"""ROIAlign: regions of a feature map, read between its cells (He et al., Mask R-CNN, ICCV 2017)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from protonet.blob import Array
from protonet.errors import LayerError
from protonet.layers.alternative_fields import one_of_two_messages
from protonet.layers.regions import RegionPooling
from protonet.layers.registry import register

_MOST = 1000
"""The maximum of points per side of a part; larger regions are invalid."""


def weights(start: float, length: float, parts: int, points: int, cells: int) -> Array:
    """The weight of each cell of a line in the mean of each part, (parts, cells).

    Part p has ``points`` points at the centres of as many equal pieces. A point between two
    cells interpolates both; one within a cell of the border takes the last cell; one farther out
    counts as 0.
    """
    piece = length / parts / points
    at = start + (np.arange(parts)[:, None] * points + np.arange(points) + 0.5) * piece
    inside = (at >= -1) & (at <= cells)
    at = np.clip(at, 0, cells - 1)
    low = np.minimum(np.floor(at).astype(int), cells - 1)
    high = np.minimum(low + 1, cells - 1)
    share = at - low
    result: Array = np.zeros((parts, cells))
    rows = np.broadcast_to(np.arange(parts)[:, None], at.shape)
    np.add.at(result, (rows, low), (1 - share) * inside / points)
    np.add.at(result, (rows, high), share * inside / points)
    return result


@register("ROIAlign")
class ROIAlign(RegionPooling):
    """The mean of bilinear samples in each of P x Q parts of each region, channel by channel.

    A region reaches from x1 s to x2 s, unrounded, and is at least one cell wide and high. A part
    has n x n points at the centres of equal pieces of it: n is sampling_ratio, or as many as
    the part has cells, rounded up. y = A x B, where A and B hold what each row and column has in
    each part; dx = A' dy B', summed over the regions of an image.

    Bottom:
        0: x, N x C x H x W.
        1: regions, R x 5 (or R x 5 x 1 x 1): image, x1, y1, x2, y2 in pixels; no gradient.
    Top:
        y: R x C x P x Q.
    Params:
        none.
    Spec:
        roi_align_param, or roi_pooling_param: pooled_h (P, required), pooled_w (Q, required),
        spatial_scale (s, 1); sampling_ratio (0) in the first alone.
    Raises:
        LayerError: without pooled_h or pooled_w, for both messages, a spatial_scale that is not
        above 0, a sampling_ratio below 0, a pad_ratio, bottoms of invalid shapes, and, while
        running, an invalid image, corners that are not numbers or regions of more than
        1000 points a part.
    Differs:
        BVLC Caffe has no such layer; this is the one of Mask R-CNN (Caffe2, roi_align_op).
    """

    def setup(self) -> None:
        param, field = one_of_two_messages(self, "roi_align_param", "roi_pooling_param")
        self.check_size(param, field)
        self.check_scale(param.spatial_scale, field)
        self.points = int(getattr(param, "sampling_ratio", 0))
        if self.points < 0:
            raise LayerError(
                f"expected a sampling_ratio of 0 or more, got {self.points}",
                (field, "sampling_ratio"),
            )
        if getattr(param, "pad_ratio", 0):
            raise LayerError(
                "pad_ratio is for the ROIAlign of cascade-rcnn, whose points are the corners of "
                "the parts; it is not supported here",
                (field, "pad_ratio"),
                "ROIPooling layers take a pad_ratio",
            )

    def parts(self, corners: Array) -> tuple[Array, Array]:
        """Starts and lengths of regions: rows and columns, (2, R) each."""
        places = (corners * self.scale).astype(float)
        found = []
        for axis in (1, 0):
            start = places[:, axis]
            found.append(np.stack([start, np.maximum(places[:, axis + 2] - start, 1.0)]))
        return found[0], found[1]

    def _mixes(self) -> Iterator[tuple[int, int, Array, Array]]:
        """For each region: its index, its image, and A and B."""
        for region, image in enumerate(self._image):
            mixes = []
            for line, parts, cells in zip(self._parts, self.size, self._map[2:], strict=True):
                start, length = (float(each) for each in line[:, region])
                points = self.points or math.ceil(length / parts)
                if points > _MOST:
                    raise LayerError(
                        f'layer "{self.name}" ({self.type}): region {region} of '
                        f"'{self.spec.bottom[1]}' is {length:g} cells long, {points} points a "
                        f"part; expected up to {_MOST}",
                        ("bottom", 1),
                    )
                mixes.append(weights(start, length, parts, points, cells))
            yield region, int(image), mixes[0], mixes[1]

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        x = np.asarray(self.device.get(bottoms[0]))
        self.read(bottoms[1])
        y = np.empty(tops[0].shape, self.dtype)
        for region, image, rows, columns in self._mixes():
            y[region] = rows @ x[image] @ columns.T
        self.device.put(y, tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is None:
            return
        dy, dx = np.asarray(self.device.get(dtops[0])), np.zeros(self._map)
        for region, image, rows, columns in self._mixes():
            dx[image] += rows.T @ dy[region] @ columns
        self.device.put(dx.astype(self.dtype), dbottoms[0])

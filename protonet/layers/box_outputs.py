"""Box proposals from the maps of MS-CNN and Cascade R-CNN."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.anchors import closed
from protonet.kernels.boxes import nms
from protonet.layers.base import shape_text
from protonet.layers.box_stages import BoxLayer
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import BoxGroupOutputParameter, BoxOutputParameter

_NOTHING = (0, 1, 1, 10, 10)
"""The placeholder region if no box is found."""


class _BoxProposals(BoxLayer):
    """Base of layers that propose boxes from maps."""

    bottoms = (1, None)
    tops = (1, 2)
    field: ClassVar[str]
    last: ClassVar[int]
    """1 if the last pixel of a box belongs to it, else 0."""

    @property
    def param(self) -> BoxOutputParameter | BoxGroupOutputParameter:
        """The layer's own message."""
        found: BoxOutputParameter | BoxGroupOutputParameter = getattr(self.spec, self.field)
        return found

    def setup(self) -> None:
        param = self.param
        self.no_gradient = frozenset(range(len(self.spec.bottom)))
        self.deviation, self.mean = self.read_normalization()
        if param.nms_type != "IOU":
            raise LayerError(
                f"expected nms_type IOU, got '{param.nms_type}'", (self.field, "nms_type")
            )
        for name, least in (("field_whr", 1.0), ("field_xyr", 0.0)):
            if not least < getattr(param, name) < math.inf:
                raise LayerError(
                    f"expected {name} above {least:g}, got {getattr(param, name):g}",
                    (self.field, name),
                )
        if not param.iou_thr >= 0:
            raise LayerError(
                f"expected iou_thr of 0 or more, got {param.iou_thr:g}", (self.field, "iou_thr")
            )

    def decode(self, offsets: Array, fields: Array, stride: int) -> Array:
        """Decode boxes (xmin, ymin, xmax, ymax) from offsets (..., 4, H, W); ``fields``
        (..., 2) are width and height around each cell.
        """
        param = self.param
        moved = offsets.astype(np.float64) * self.deviation[:, None, None]
        moved += self.mean[:, None, None]
        shift, grown = moved[..., :2, :, :], moved[..., 2:, :, :]
        np.clip(shift, -1 / param.field_xyr, 1 / param.field_xyr, out=shift)
        np.clip(grown, -math.log(param.field_whr), math.log(param.field_whr), out=grown)
        height, width = offsets.shape[-2:]
        rows, columns = np.mgrid[:height, :width]
        extent = fields[..., None, None]
        size = extent * np.exp(grown)
        start = shift * extent + (np.stack([columns, rows]) + 0.5) * stride - size / 2
        return np.concatenate([start, start + size - self.last], axis=-3)

    def keep(self, found: list[tuple[Array, Array]]) -> None:
        """Write the rows of each image's boxes after non-maximum suppression."""
        param, rows, scored = self.param, [np.empty((0, 5))], [np.empty((0, 6))]
        for image, (boxes, scores) in enumerate(found):
            large = ((boxes[:, 2:] - boxes[:, :2] + self.last) >= param.min_size).all(axis=1)
            boxes, scores = boxes[large], scores[large]
            seen = closed(boxes) if self.last else boxes
            stay = nms(
                seen,
                scores,
                param.iou_thr,
                top_k=param.max_nms_num or -1,
                keep=param.max_post_nms_num or -1,
            )
            row = np.insert(boxes[stay], 0, image, axis=1)
            rows.append(row)
            scored.append(np.concatenate([row, scores[stay, None]], axis=1))
        whole, beside = np.concatenate(rows), np.concatenate(scored)
        if not len(whole):
            whole, beside = np.array([_NOTHING], float), np.zeros((1, 6))
        self._rows = [
            each.reshape(*each.shape, 1, 1) for each in (whole, beside)[: len(self.spec.top)]
        ]

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        self.check(shapes)
        return [(1, values, 1, 1) for values in (5, 6)[: len(self.spec.top)]]

    def check(self, shapes: Sequence[Shape]) -> None:
        """LayerError for bottoms of invalid shapes."""
        raise NotImplementedError

    def find(self, bottoms: Sequence[Array]) -> list[tuple[Array, Array]]:
        """Boxes (xmin, ymin, xmax, ymax) and scores of each image."""
        raise NotImplementedError

    def measure(self, bottoms: Sequence[Array]) -> list[Shape]:
        """Compute the boxes, which ``forward`` then writes."""
        # A diverged net can output any values: no warning for each box.
        with np.errstate(all="ignore"):
            self.keep(self.find([np.asarray(self.device.get(bottom)) for bottom in bottoms]))
        return [each.shape for each in self._rows]


@register("BoxOutput")
class BoxOutput(_BoxProposals):
    """Boxes from the maps of several levels, with non-maximum suppression (MS-CNN, Cai et al.,
    2016).

    A cell's score is that of its best class less that of the background; where it is fg_thr or
    more, the cell proposes a box: its centre is that of the cell, moved by the first two offsets
    times the field, each extent the field times e to the offset, clipped at the image. There is
    no gradient.

    Bottom:
        one or more: N x (K + 4) x H x W, scores of K classes, the background first, and offsets.
    Top:
        0: R x 5 x 1 x 1: image, xmin, ymin, xmax, ymax, by image and descending score; one row of
        0, 1, 1, 10, 10 where nothing is found.
        1 (optional): R x 6 x 1 x 1, the same with the score; zeros where nothing is found.
    Params:
        none.
    Spec:
        box_output_param: field_w, field_h and downsample_rate (one for each bottom), fg_thr (0),
        iou_thr (0.5), field_whr (2), field_xyr (2: how much extents and centres may change),
        max_nms_num and max_post_nms_num (0: all), min_size (15), nms_type (IOU).
        bbox_reg_param: bbox_mean and bbox_std (offsets are as they are).
    Raises:
        LayerError: for a wrong number of settings, bottoms of invalid shapes, another
        nms_type, or invalid settings.
    Differs:
        BVLC Caffe has no such layer; this is the one of zhaoweicai/mscnn.
    """

    field = "box_output_param"
    last = 0

    def setup(self) -> None:
        super().setup()
        param, count = self.spec.box_output_param, len(self.spec.bottom)
        for name in ("field_w", "field_h", "downsample_rate"):
            given = getattr(param, name)
            if len(given) != count or 0 in given:
                raise LayerError(
                    f"expected {count} {name} above 0, one for each bottom, got "
                    f"{', '.join(map(str, given)) or 'none'}",
                    (self.field, name),
                )

    def check(self, shapes: Sequence[Shape]) -> None:
        for place, shape in enumerate(shapes):
            if len(shape) != 4 or shape[1] < 6 or shape[:2] != shapes[0][:2]:
                raise LayerError(
                    "expected N x (classes + 4) x H x W with two classes or more, as many in all "
                    f"bottoms, got '{self.spec.bottom[place]}' {shape_text(shape)}",
                    ("bottom", place),
                )

    def find(self, bottoms: Sequence[Array]) -> list[tuple[Array, Array]]:
        param = self.spec.box_output_param
        found: list[list[tuple[Array, Array]]] = [[] for _ in bottoms[0]]
        for place, bottom in enumerate(bottoms):
            fields = np.array([param.field_w[place], param.field_h[place]], float)
            stride = param.downsample_rate[place]
            ends = np.array(bottom.shape[:-3:-1]) * stride
            for image, maps in enumerate(bottom):
                scores = (maps[1:-4].max(axis=0) - maps[0]).ravel()
                boxes = self.decode(maps[-4:], fields, stride).reshape(4, -1).T
                boxes[:, :2] = np.maximum(boxes[:, :2], 0)
                boxes[:, 2:] = boxes[:, :2] + np.minimum(
                    self._extents(maps[-4:], fields), ends - boxes[:, :2]
                )
                chosen = scores >= param.fg_thr
                found[image].append((boxes[chosen], scores[chosen]))
        # Of equal scores the fork takes the last one first.
        return [(boxes[::-1], scores[::-1]) for boxes, scores in map(_joined, found)]

    def _extents(self, offsets: Array, fields: Array) -> Array:
        """Width and height of each box, before it is clipped, (cells, 2)."""
        boxes = self.decode(offsets, fields, 1).reshape(4, -1).T
        extents: Array = boxes[:, 2:] - boxes[:, :2]
        return extents


@register("BoxGroupOutput")
class BoxGroupOutput(_BoxProposals):
    """Boxes from groups of anchors, with non-maximum suppression (Cascade R-CNN, Cai et al., 2018).

    An anchor's score is 1 less the probability of the background; where it is fg_thr or more, it
    proposes a box as for BoxOutput, whose last pixels belong to it. There is no gradient.

    Bottom:
        two for each level: (N G) x K x H x W, probabilities of K classes at G anchors, the
        background first; and (N G) x 4 x H x W, offsets.
    Top:
        0 and 1 (optional): as for BoxOutput.
    Params:
        none.
    Spec:
        box_group_output_param: box_group_param (one for each level: stride, and a field_w and
        field_h for each anchor), fg_thr (0), iou_thr (0.5), field_whr (2), field_xyr (2),
        max_nms_num and max_post_nms_num (0: all), min_size (15), nms_type (IOU).
        bbox_reg_param: bbox_mean and bbox_std (offsets are as they are).
    Raises:
        LayerError: for a wrong number of groups, or fields, bottoms of invalid shapes,
        another nms_type, or invalid settings.
    Differs:
        BVLC Caffe has no such layer; this is the one of zhaoweicai/cascade-rcnn. Of equal scores
        the first stays first. Boxes that lie side by side overlap by the fraction of a pixel here.
    """

    bottoms = (2, None)
    field = "box_group_output_param"
    last = 1

    def setup(self) -> None:
        super().setup()
        groups = self.spec.box_group_output_param.box_group_param
        if len(self.spec.bottom) != 2 * len(groups):
            raise LayerError(
                f"expected two bottoms for each of {len(groups)} box_group_param, got "
                f"{len(self.spec.bottom)}",
                (self.field,),
            )
        for place, group in enumerate(groups):
            fields = [*group.field_w, *group.field_h]
            if len(group.field_w) != len(group.field_h) or not fields or 0 in fields:
                raise LayerError(
                    "expected as many field_w as field_h, each above 0, got "
                    f"{len(group.field_w)} and {len(group.field_h)}",
                    (self.field, "box_group_param", place),
                )
            if not group.stride:
                raise LayerError(
                    "expected a stride above 0, got 0", (self.field, "box_group_param", place)
                )

    def check(self, shapes: Sequence[Shape]) -> None:
        images = None
        for place, group in enumerate(self.spec.box_group_output_param.box_group_param):
            scores, offsets = shapes[2 * place : 2 * place + 2]
            anchors = len(group.field_w)
            if (
                len(scores) != 4
                or scores[0] % anchors
                or images not in (None, scores[0] // anchors)
                or offsets != (scores[0], 4, *scores[2:])
            ):
                raise LayerError(
                    f"expected (N {anchors}) x K x H x W and (N {anchors}) x 4 x H x W, with one "
                    f"N for all, got {shape_text(scores)} and {shape_text(offsets)}",
                    ("bottom", 2 * place),
                )
            images = scores[0] // anchors

    def find(self, bottoms: Sequence[Array]) -> list[tuple[Array, Array]]:
        param = self.spec.box_group_output_param
        groups = param.box_group_param
        images = len(bottoms[0]) // len(groups[0].field_w)
        found: list[list[tuple[Array, Array]]] = [[] for _ in range(images)]
        for group, probabilities, offsets in zip(groups, bottoms[::2], bottoms[1::2], strict=True):
            fields = np.tile(np.array([group.field_w, group.field_h], float).T, (images, 1))
            boxes = self.decode(offsets, fields, group.stride)
            ends = np.array(offsets.shape[:-3:-1]) * group.stride
            boxes = boxes.transpose(0, 2, 3, 1).reshape(images, -1, 4)
            boxes[..., :2] = np.maximum(boxes[..., :2], 0)
            boxes[..., 2:] = np.minimum(boxes[..., 2:], ends)
            scores = (1 - probabilities[:, 0]).reshape(images, -1)
            for image in range(images):
                chosen = scores[image] >= param.fg_thr
                found[image].append((boxes[image, chosen], scores[image, chosen]))
        return [_joined(each) for each in found]


def _joined(levels: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    """The boxes and scores of all levels."""
    return (
        np.concatenate([boxes for boxes, _ in levels]),
        np.concatenate([scores for _, scores in levels]),
    )

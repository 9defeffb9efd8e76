"""FrcnnOutput: the boxes that a detector of several stages finds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.anchors import closed
from protonet.kernels.boxes import decode, nms
from protonet.layers.base import shape_text
from protonet.layers.box_maps import check_rows
from protonet.layers.box_stages import BoxLayer
from protonet.layers.registry import register

_PARAM = "frcnn_output_param"
_COLUMNS = 7


@register("FrcnnOutput")
class FrcnnOutput(BoxLayer):
    """The boxes of one image that remain after non-maximum suppression, class by class.

    Boxes are decoded from regions as in DecodeBBox and clipped at the image. Of each class but
    the background those of probability conf_thr or more count, and one goes that overlaps a
    better one of its class by more than iou_thr; then the max_det_num best of the image are
    kept. There is no gradient.

    Bottom:
        0: probabilities, R x K x ..., the background first.
        1: offsets, R x (4 K) x ...; with cls_aware: false R x 8 x ..., background and objects.
        2: regions, R x 5 or R x 6 x ...: image, xmin, ymin, xmax, ymax, score (unused).
        3: 1 x 2 x ...: height and width of the image.
    Top:
        rows: (1 + M) x 7 x 1 x 1: image, xmin, ymin, xmax, ymax, class, probability; by class and
        descending probability. The first row is 0 and then -1 for the image itself.
    Params:
        none.
    Spec:
        frcnn_output_param: conf_thr (0), iou_thr (0.5), nms_type (IOU), max_det_num (0: all).
        bbox_reg_param: bbox_mean and bbox_std (offsets are as they are), cls_aware (true).
    Raises:
        LayerError: for another nms_type, an iou_thr below 0, save_output_param with an
        output_directory, bottoms of invalid shapes, a loss_weight; and, while running, for a
        region of another image, or one that ends before it begins.
    Differs:
        BVLC Caffe has no such layer; this is the one of zhaoweicai/cascade-rcnn. It writes no
        files. Of equal probabilities the first comes first. Boxes that lie side by side overlap
        by the fraction of a pixel here.
    """

    bottoms = (4, 4)

    def setup(self) -> None:
        param = self.spec.frcnn_output_param
        self.no_gradient = frozenset(range(4))
        self.deviation, self.mean = self.read_normalization()
        if param.nms_type != "IOU":
            raise LayerError(f"expected nms_type IOU, got '{param.nms_type}'", (_PARAM, "nms_type"))
        if not param.iou_thr >= 0:
            raise LayerError(
                f"expected iou_thr of 0 or more, got {param.iou_thr:g}", (_PARAM, "iou_thr")
            )
        if param.save_output_param.output_directory:
            raise LayerError(
                "FrcnnOutput layers write no files here",
                (_PARAM, "save_output_param", "output_directory"),
                "read the top: image, xmin, ymin, xmax, ymax, class and probability of each box",
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        check_rows(self.spec, shapes[:2], (None, None))
        classes, values = (math.prod(shape[1:]) for shape in shapes[:2])
        wanted = 4 * classes if self.spec.bbox_reg_param.cls_aware else 8
        if classes < 2 or values != wanted:
            raise LayerError(
                f"expected R x K of two classes or more, and R x {wanted} offsets, got "
                f"{shape_text(shapes[0])} and {shape_text(shapes[1])}",
                ("bottom", 1),
            )
        for place, lengths, rows in ((2, (5, 6), shapes[0][0]), (3, (2,), 1)):
            if not shapes[place] or shapes[place][0] != rows or (
                math.prod(shapes[place][1:]) not in lengths
            ):  # fmt: skip
                raise LayerError(
                    f"expected {rows} x {' or '.join(map(str, lengths))} in "
                    f"'{self.spec.bottom[place]}', got {shape_text(shapes[place])}",
                    ("bottom", place),
                )
        return [(1, _COLUMNS, 1, 1)]

    def measure(self, bottoms: Sequence[Array]) -> list[Shape]:
        """Find the boxes, which ``forward`` then writes."""
        scores, offsets, regions, size = (
            np.asarray(self.device.get(bottom), np.float64).reshape(len(bottom), -1)
            for bottom in bottoms
        )
        self._check(regions)
        # A diverged net can output any values: no warning for each box.
        with np.errstate(all="ignore"):
            boxes = self._decode(offsets, regions[:, 1:5], size.reshape(2))
            found = self._select(boxes, scores)
        top = self.spec.frcnn_output_param.max_det_num
        if top and len(found) > top:
            best = np.argsort(-found[:, 6], kind="stable")[:top]
            found = found[np.sort(best)]
        head = np.full((1, _COLUMNS), -1.0)
        head[0, 0] = 0
        self._rows = [np.concatenate([head, found]).reshape(-1, _COLUMNS, 1, 1)]
        return [self._rows[0].shape]

    def _check(self, regions: Array) -> None:
        wrong = (np.trunc(regions[:, 0]) != 0) | (regions[:, 3:5] < regions[:, 1:3]).any(axis=1)
        if wrong.any():
            row = int(wrong.argmax())
            raise LayerError(
                f'layer "{self.name}" ({self.type}): expected regions of image 0 that begin '
                f"before they end in '{self.spec.bottom[2]}', got row {row}: "
                f"{', '.join(f'{value:g}' for value in regions[row, :5])}",
                ("bottom", 2),
            )

    def _decode(self, offsets: Array, regions: Array, size: Array) -> Array:
        """Boxes of all classes, (R, sets, 4), clipped at the image."""
        ends, sets = closed(regions), offsets.reshape(len(offsets), -1, 4)
        moved = sets * self.deviation + self.mean
        boxes = decode(ends, np.ones_like(ends), moved.swapaxes(0, 1), "CENTER_SIZE")
        boxes = boxes.swapaxes(0, 1)
        boxes[..., :2] = np.maximum(boxes[..., :2], 0)
        boxes[..., 2:] = np.minimum(boxes[..., 2:] - 1, size[::-1])
        return boxes

    def _select(self, boxes: Array, scores: Array) -> Array:
        """The rows of all classes."""
        param, rows = self.spec.frcnn_output_param, [np.empty((0, _COLUMNS))]
        for kind in range(1, scores.shape[1]):
            own = scores[:, kind]
            likely = np.flatnonzero(own >= param.conf_thr)
            near = boxes[likely, kind if self.spec.bbox_reg_param.cls_aware else 1]
            stay = nms(closed(near), own[likely], param.iou_thr)
            row = np.zeros((len(stay), _COLUMNS))
            row[:, 1:5], row[:, 5], row[:, 6] = near[stay], kind, own[likely][stay]
            rows.append(row)
        return np.concatenate(rows)

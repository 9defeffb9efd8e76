"""The output of YOLO detectors: labelled boxes from maps of predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.boxes import nms
from protonet.layers.base import Layer, Traits, shape_text
from protonet.layers.registry import register

_COLUMNS = 7
_NUMBERS = 5
"""Values of a box other than its class scores: x, y, width, height, objectness."""


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    y: Array = (np.tanh(x / 2) + 1) / 2
    return y


def read_anchors(layer: Layer, field: str, least: int) -> Array:
    """The widths and heights of the ``biases`` in a field, (A, 2), at least ``least``.

    Raises:
        LayerError: for fewer, an odd number, or values not above 0.
    """
    given = list(getattr(layer.spec, field).biases)
    if len(given) % 2 or len(given) < 2 * least:
        raise LayerError(
            f"expected biases in pairs of width and height for {least} boxes, got {len(given)} "
            "numbers",
            (field, "biases") if given else (field,),
        )
    if not all(value > 0 for value in given):
        raise LayerError(f"expected biases above 0, got {min(given):g}", (field, "biases"))
    return np.reshape(given, (-1, 2))


class YoloOutput(Layer):
    """Base of layers that decode boxes from maps N x (B (5 + C)) x H x W, one bottom for each map.

    Computed on the host, also if the net runs on a GPU.
    """

    bottoms = (1, None)
    traits = Traits(backward_reads=frozenset(), dynamic=True)
    field: str
    classes: int
    count: int
    least: float
    threshold: float

    def check_settings(self) -> None:
        """Raise LayerError for invalid settings."""
        if any(self.spec.loss_weight):
            raise LayerError(
                "boxes have no gradient and cannot be part of the objective", ("loss_weight",)
            )
        self.no_gradient = frozenset(range(len(self.spec.bottom)))
        for name, value in (("num_classes", self.classes), ("num_box", self.count)):
            if value < 1:
                raise LayerError(f"expected {name} of 1 or more, got {value}", (self.field, name))
        if not self.threshold >= 0:
            raise LayerError(
                f"expected nms_threshold of 0 or more, got {self.threshold:g}",
                (self.field, "nms_threshold"),
            )

    def anchors(self, least: int) -> Array:
        """The widths and heights of ``biases``, (A, 2), at least ``least``."""
        return read_anchors(self, self.field, least)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        channels = self.count * (_NUMBERS + self.classes)
        for place, shape in enumerate(shapes):
            if len(shape) != 4 or shape[1] != channels:
                raise LayerError(
                    f"expected N x {channels} x H x W in '{self.spec.bottom[place]}', 5 and "
                    f"{self.classes} classes for each of {self.count} boxes, got "
                    f"{shape_text(shape)}",
                    ("bottom", place),
                )
            if shape[0] != shapes[0][0]:
                raise LayerError(
                    f"expected {shapes[0][0]} images in '{self.spec.bottom[place]}', as in "
                    f"'{self.spec.bottom[0]}', got {shape[0]}",
                    ("bottom", place),
                )
        return [(1, 1, shapes[0][0], _COLUMNS)]

    def candidates(self, place: int, numbers: Array) -> Array:
        """Rows of image, label, score and corners of the candidates in one map.

        Args:
            place: the index of the bottom.
            numbers: N x H x W x B x (5 + C).
        """
        raise NotImplementedError

    def measure(self, bottoms: Sequence[Array]) -> list[Shape]:
        """Compute the boxes, which ``forward`` then writes."""
        images, found = bottoms[0].shape[0], []
        # A diverged net can output any values: no warning for each box.
        with np.errstate(all="ignore"):
            for place, bottom in enumerate(bottoms):
                _, _, height, width = bottom.shape
                shape = (images, self.count, -1, height, width)
                numbers = self.device.get(bottom).reshape(shape).transpose(0, 3, 4, 1, 2)
                found.append(self.candidates(place, numbers))
            rows = np.concatenate(found)
            rows = np.concatenate([self._suppress(rows[rows[:, 0] == i]) for i in range(images)])
        if not len(rows):
            rows = np.full((images, _COLUMNS), -1, rows.dtype)
            rows[:, 0] = np.arange(images)
        self._rows = rows
        return [(1, 1, len(rows), _COLUMNS)]

    def _suppress(self, rows: Array) -> Array:
        """The rows of an image after non-maximum suppression, best first."""
        most = np.nextafter(rows.dtype.type(self.threshold), rows.dtype.type(-1))
        thinned: Array = rows[nms(rows[:, 3:], rows[:, 2], float(most))]
        return thinned

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self.device.put(self._rows, tops[0])


def corners(numbers: Array, anchors: Array, extent: tuple[float, float]) -> Array:
    """The corners of N x H x W x B boxes in fractions of the image.

    Args:
        numbers: N x H x W x B x 4 or more: x, y, width, height.
        anchors: (B, 2).
        extent: width and height of the image, in the unit of the anchors.
    """
    height, width = numbers.shape[1:3]
    cell = np.empty((height, width, 1, 2), numbers.dtype)
    cell[..., 0], cell[..., 1] = np.arange(width)[:, None], np.arange(height)[:, None, None]
    centre = (cell + sigmoid(numbers[..., :2])) / np.array((width, height), numbers.dtype)
    half = np.exp(numbers[..., 2:4]) * (anchors / extent).astype(numbers.dtype) / 2
    return np.concatenate([centre - half, centre + half], axis=-1)


def selected_rows(mask: Array, label: Array, score: Array, boxes: Array) -> Array:
    """Rows of the boxes (by N, H, W, B and, for a mask of 5 axes, class) where ``mask`` is true."""
    places = np.nonzero(mask)
    rows = np.empty((len(places[0]), _COLUMNS), score.dtype)
    rows[:, 0], rows[:, 1], rows[:, 2] = places[0], label[places], score[places]
    rows[:, 3:] = boxes[places[:4]]
    return rows


@register("YoloDetectionOutput")
class YoloDetectionOutput(YoloOutput):
    """Boxes decoded from YOLOv2's map: at each cell (i, j) one for each of B anchors.

    Centre ((j + s(x)) / W, (i + s(y)) / H), width and height e^w a / W and e^h b / H with s the
    sigmoid and (a, b) the anchor; score s(o) max p with p = softmax of the C classes. Those that
    score confidence_threshold or more are visited by descending score, whatever their class;
    one stays when it overlaps each that stayed by less than nms_threshold. No gradient.

    Bottom:
        0, 1, ...: N x (B (5 + C)) x H x W: x, y, w, h, o and the classes of each box.
    Top:
        rows: 1 x 1 x K x 7, of image, label (from 1), score, xmin, ymin, xmax, ymax; by image and
        descending score. Where nothing is found in any image, a row for each: its number, then -1.
    Params:
        none.
    Spec:
        yolo_detection_output_param: num_classes (C, 20), num_box (B, 5), biases (width and height
        of each anchor, in cells), confidence_threshold (0.01), nms_threshold (0.45). side, coords
        and label_map_file have no effect.
    Raises:
        LayerError: for counts below 1, coords other than 4, biases that are not B pairs above 0,
        a negative nms_threshold, bottoms of invalid shapes, or a loss_weight.
    Differs:
        BVLC Caffe has no such layer; this is the one of the forks for YOLO, which thin out the
        boxes of all images together and call each image 0.
    """

    field = "yolo_detection_output_param"

    def setup(self) -> None:
        param = self.spec.yolo_detection_output_param
        self.classes, self.count = param.num_classes, param.num_box
        self.least, self.threshold = param.confidence_threshold, param.nms_threshold
        if param.coords != 4:
            raise LayerError(f"expected coords 4, got {param.coords}", (self.field, "coords"))
        self.check_settings()
        self._anchors = self.anchors(self.count)[: self.count]

    def candidates(self, place: int, numbers: Array) -> Array:
        height, width = numbers.shape[1:3]
        boxes = corners(numbers, self._anchors, (width, height))
        p = np.exp(numbers[..., 5:] - numbers[..., 5:].max(axis=-1, keepdims=True))
        score = sigmoid(numbers[..., 4]) * p.max(axis=-1) / p.sum(axis=-1)
        return selected_rows(score >= self.least, p.argmax(axis=-1) + 1, score, boxes)


@register("Yolov3DetectionOutput")
class Yolov3DetectionOutput(YoloOutput):
    """Boxes decoded from YOLOv3's maps of several scales: B at each cell of each map.

    As YoloDetectionOutput, but for: the anchors of a map are those of ``biases``, in pixels, that
    its part of ``mask`` names, over an image of W r by H r with r its anchors_scale; and each
    class has a score s(o) s(c), which must be above confidence_threshold. No gradient.

    Bottom:
        0, 1, ...: N x (B (5 + C)) x H x W: x, y, w, h, o and the classes of each box.
    Top:
        rows: 1 x 1 x K x 7, of image, label (from 1), score, xmin, ymin, xmax, ymax; by image and
        descending score. Where nothing is found in any image, a row for each: its number, then -1.
    Params:
        none.
    Spec:
        yolov3_detection_output_param: num_classes (C, 20), num_box (B, 3), biases (width and
        height of each anchor), mask (B for each bottom), anchors_scale (r, one a bottom),
        confidence_threshold (0.01), nms_threshold (0.45). mask_group_num (2) is the number of
        bottoms.
    Raises:
        LayerError: for counts below 1, another number of bottoms than mask_group_num, of mask or
        anchors_scale than they need, a mask without an anchor, biases that are not pairs above 0,
        a negative nms_threshold, bottoms of invalid shapes, or a loss_weight.
    Differs:
        BVLC Caffe has no such layer; this is the one of the forks for YOLO, which thin out the
        boxes of all images together and call each image 0.
    """

    field = "yolov3_detection_output_param"

    def setup(self) -> None:
        param, maps = self.spec.yolov3_detection_output_param, len(self.spec.bottom)
        self.classes, self.count = param.num_classes, param.num_box
        self.least, self.threshold = param.confidence_threshold, param.nms_threshold
        self.check_settings()
        if param.mask_group_num != maps:
            raise LayerError(
                f"expected mask_group_num {maps}, the bottoms, got {param.mask_group_num}",
                (self.field,),
            )
        for name, expected in (("mask", maps * self.count), ("anchors_scale", maps)):
            number = len(getattr(param, name))
            if number != expected:
                raise LayerError(
                    f"expected {expected} numbers of {name} for {maps} bottom(s), got {number}",
                    (self.field,),
                )
        anchors = self.anchors(max(param.mask) + 1)
        self._anchors = anchors[list(param.mask)].reshape(maps, self.count, 2)
        self._scales = list(param.anchors_scale)
        if min(self._scales) < 1:
            raise LayerError("expected anchors_scale above 0, got 0", (self.field, "anchors_scale"))

    def candidates(self, place: int, numbers: Array) -> Array:
        (height, width), scale = numbers.shape[1:3], self._scales[place]
        boxes = corners(numbers, self._anchors[place], (width * scale, height * scale))
        score = sigmoid(numbers[..., 4:5]) * sigmoid(numbers[..., 5:])
        labels = np.broadcast_to(np.arange(1, self.classes + 1), score.shape)
        return selected_rows(score > self.least, labels, score, boxes)

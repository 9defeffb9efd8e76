"""Evaluation of a detector: true and false positives among its boxes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.data.name_sizes import read_name_sizes
from protonet.errors import DataError, LayerError
from protonet.kernels.boxes import overlaps
from protonet.layers.base import Stateful, Traits, shape_text
from protonet.layers.detection import check_classes
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import ResizeParameter

_PARAM = "detection_evaluate_param"
_COLUMNS = 5


@register("DetectionEvaluate")
class DetectionEvaluate(Stateful):
    """True and false positives among the boxes of a detector.

    For each image and label, boxes are visited by descending score. One is a true positive when
    the object that it overlaps most, by overlap_threshold or more (intersection over union), was
    not found before; else a false one. One whose object is difficult is neither, unless
    evaluate_difficult_gt. Average precision follows from all rows of a test. There is no gradient.
    Computed on the host, also if the net runs on a GPU.

    Bottom:
        0: found, 1 x 1 x K x 7, as DetectionOutput gives it: image, label (-1: nothing), score,
        xmin, ymin, xmax, ymax.
        1: truths, ... x 8: image (-1: not a row), label, instance, xmin, ymin, xmax, ymax,
        difficult.
    Top:
        rows: 1 x 1 x (L + M) x 5. First, for each of the L labels but the background: -1, label,
        how many objects there are, -1, -1. Then, for each of the M boxes found: image, label,
        score, 1 for a true positive, 1 for a false one; by image and label.
    Params:
        none.
    Spec:
        detection_evaluate_param: num_classes (required), background_label_id (0),
        overlap_threshold (0.5), evaluate_difficult_gt (true), name_size_file (none: boxes are
        compared in fractions of the image; else in whole pixels of it, clipped; a file with name,
        height and width of each image of the test, in its order), resize_param (only WARP, which
        changes nothing).
    Raises:
        LayerError: without num_classes, for an overlap_threshold that is not above 0, a
        name_size_file that cannot be read, a resize_mode other than WARP with it, bottoms of
        invalid shapes, a loss_weight; and, while running, for an invalid label.
    Differs:
        BVLC Caffe has no such layer; this is the one of the SSD and NVIDIA forks. Of equal scores
        the first box comes first. For an image and label without objects, boxes stay in their
        original order, as there. A truth with the background's label is an error.
    """

    bottoms = (2, 2)
    no_gradient = frozenset({0, 1})
    traits = Traits(backward_reads=frozenset(), dynamic=True)

    def setup(self) -> None:
        param = self.spec.detection_evaluate_param
        if any(self.spec.loss_weight):
            raise LayerError(
                "counts have no gradient and cannot be part of the objective", ("loss_weight",)
            )
        count = check_classes(param.num_classes, _PARAM)
        self.labels = [c for c in range(count) if c != param.background_label_id]
        self.threshold = param.overlap_threshold
        if not self.threshold > 0:
            raise LayerError(
                f"expected overlap_threshold above 0, got {self.threshold:g}",
                (_PARAM, "overlap_threshold"),
            )
        self.sizes = self._read_sizes() if param.HasField("name_size_file") else None
        self._seen = 0

    def _read_sizes(self) -> np.ndarray:
        """Height and width of each image of the test set, (I, 2)."""
        param, where = self.spec.detection_evaluate_param, (_PARAM, "name_size_file")
        if param.resize_param.resize_mode != ResizeParameter.WARP:
            raise LayerError(
                "boxes of images that were not warped to the net's size cannot be mapped back",
                (_PARAM, "resize_param"),
                "leave out name_size_file: boxes are then compared in fractions of the image",
            )
        try:
            sizes = read_name_sizes(self.context.find(param.name_size_file))
        except DataError as error:
            raise LayerError(str(error), where) from error
        return np.array(sizes, np.float64)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        for place, columns in enumerate((_COLUMNS + 2, 8)):
            if not shapes[place] or shapes[place][-1] != columns:
                raise LayerError(
                    f"expected rows of {columns} values in '{self.spec.bottom[place]}', got "
                    f"{shape_text(shapes[place])}",
                    ("bottom", place),
                )
        return [(1, 1, len(self.labels), _COLUMNS)]

    def measure(self, bottoms: Sequence[Array]) -> list[Shape]:
        """Evaluate the boxes, which ``forward`` then writes."""
        found, truths = (self.device.get(bottom) for bottom in bottoms)
        found, truths = found.reshape(-1, _COLUMNS + 2), truths.reshape(-1, 8)
        found, truths = found[np.trunc(found[:, 0]) != -1], truths[np.trunc(truths[:, 0]) != -1]
        truths = truths.copy()
        truths[:, 1] = np.round(truths[:, 1])
        self._check(0, found[:, 1], extra=-1)
        self._check(1, truths[:, 1])
        easy = (truths[:, 7] == 0) | self.spec.detection_evaluate_param.evaluate_difficult_gt
        heads = np.full((len(self.labels), _COLUMNS), -1.0)
        heads[:, 1] = self.labels
        heads[:, 2] = [np.count_nonzero(easy & (truths[:, 1] == c)) for c in self.labels]
        rows = [heads]
        for image in np.unique(found[:, 0]):
            rows += self._evaluate(found[found[:, 0] == image], truths[truths[:, 0] == image])
            self._seen += 1
        self._rows = np.concatenate(rows)
        return [(1, 1, len(self._rows), _COLUMNS)]

    def _check(self, place: int, labels: Array, extra: int | None = None) -> None:
        wrong = ~np.isin(labels, [*self.labels, *([] if extra is None else [extra])])
        if wrong.any():
            known = f"{self.labels[0]} to {self.labels[-1]}" if self.labels else "no classes"
            raise LayerError(
                f'layer "{self.name}" ({self.type}): label {labels[wrong][0]:g} in '
                f"'{self.spec.bottom[place]}' is not one of {known}",
                ("bottom", place),
            )

    def _evaluate(self, found: Array, truths: Array) -> list[Array]:
        """The rows of one image, a block for each label."""
        easy = (truths[:, 7] == 0) | self.spec.detection_evaluate_param.evaluate_difficult_gt
        blocks = []
        for label in self.labels:
            boxes, own = found[found[:, 1] == label], truths[:, 1] == label
            block = np.zeros((len(boxes), _COLUMNS))
            if own.any():
                boxes = boxes[np.argsort(-boxes[:, 2], kind="stable")]
                block[:, 3:] = self._positives(boxes[:, 3:], truths[own, 3:7], easy[own])
            else:
                block[:, 4] = 1
            block[:, :3] = boxes[:, :3]
            blocks.append(block)
        return blocks

    def _positives(self, boxes: Array, truths: Array, easy: Array) -> Array:
        """Whether each box is a true and whether it is a false positive, (M, 2)."""
        table = overlaps(self._in_pixels(boxes), self._in_pixels(truths))
        marks, taken = np.zeros((len(boxes), 2)), np.zeros(len(truths), bool)
        for mark, row in zip(marks, table, strict=True):
            best = int(row.argmax())
            if row[best] < self.threshold:
                mark[1] = 1
            elif easy[best]:
                mark[int(taken[best])] = 1
                taken[best] = True
        return marks

    def _in_pixels(self, boxes: Array) -> Array:
        """Boxes as they are compared: in pixels, ends inclusive, if sizes are given."""
        if self.sizes is None:
            return boxes
        height, width = self.sizes[self._seen % len(self.sizes)]
        placed: Array = np.clip(boxes, 0, 1) * [width, height, width, height]
        placed[:, 2:] += 1
        return placed

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        self.device.put(self._rows, tops[0])

    @property
    def can_skip(self) -> bool:
        """Whether no size depends on the images so far."""
        return self.sizes is None

    def skip(self, passes: int) -> None:
        """Nothing depends on passes."""

    def state(self) -> dict[str, int]:
        """The number of images so far, which determines the next one in name_size_file."""
        return {"seen": self._seen}

    def restore(self, state: dict[str, int]) -> None:
        self._seen = int(state["seen"])

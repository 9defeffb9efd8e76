"""Matching of ground truth to the predicted boxes of YOLO detectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.boxes import overlaps
from protonet.layers.base import Layer, Traits, shape_text
from protonet.layers.yolo import corners

NUMBERS = 5
"""Values of a box other than its class scores: x, y, width, height, objectness; and of a row of
labels: class, x, y, width, height."""


@dataclass(frozen=True)
class Matches:
    """The M predicted boxes that are matched to a truth.

    Their indices (image, row, column, box), (M,) each; their truths, (M, 5); the classes of all
    truths that are matched to them, (M, C), 1.0 or 0.0.
    """

    places: tuple[Array, ...]
    truths: Array
    classes: Array


class YoloLoss(Layer):
    """Base of the losses of a map N x (B (5 + C)) x H x W. Computed on the host."""

    bottoms = (2, 2)
    tops = (0, 1)
    no_gradient = frozenset({1})
    traits = Traits(backward_reads=frozenset(), capturable=False)
    is_loss = True
    field: str
    classes: int
    count: int
    thresh: float

    def check_counts(self) -> None:
        """Raise LayerError for counts of boxes or classes below 1."""
        for name, value in (("num_class", self.classes), ("num", self.count)):
            if value < 1:
                raise LayerError(f"expected {name} of 1 or more, got {value}", (self.field, name))

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape, labels = shapes
        channels = self.count * (NUMBERS + self.classes)
        if len(shape) != 4 or shape[1] != channels:
            raise LayerError(
                f"expected N x {channels} x H x W in '{self.spec.bottom[0]}', 5 and "
                f"{self.classes} classes for each of {self.count} boxes, got {shape_text(shape)}",
                ("bottom", 0),
            )
        if labels[:1] != shape[:1] or math.prod(labels[1:]) % NUMBERS:
            raise LayerError(
                f"expected rows of class, x, y, width and height for {shape[0]} image(s) in "
                f"'{self.spec.bottom[1]}', got {shape_text(labels)}",
                ("bottom", 1),
            )
        return [()]

    def build(self, shapes: Sequence[Shape]) -> None:
        images, _, height, width = self._shape = shapes[0]
        self._split = (images, self.count, NUMBERS + self.classes, height, width)
        self._slope = self.device.pinned(self._split, self.dtype)
        self._factor = self.scratch(())

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        numbers = np.asarray(self.device.get(bottoms[0])).reshape(self._split)
        numbers = numbers.transpose(0, 3, 4, 1, 2)
        slope = self._slope.transpose(0, 3, 4, 1, 2)
        slope.fill(0)
        truths = self._read(np.asarray(self.device.get(bottoms[1])))
        # A diverged net can output any values: no warning for each box.
        with np.errstate(all="ignore"):
            boxes = corners(numbers, self.map_anchors, self.extent)
            free = np.ones(numbers.shape[:4], bool)
            for image, rows in enumerate(truths):
                most = overlaps(boxes[image].reshape(-1, 4), corners_of(rows)).max(
                    axis=1, initial=0
                )
                free[image] = (most <= self.thresh).reshape(free.shape[1:])
            loss = self.compute_loss(numbers, boxes, free, self._match(truths, boxes), slope)
        self.device.put(np.array(loss / max(1, self._shape[0]), self.dtype), tops[0])

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        dx = dbottoms[0]
        if dx is not None:
            self.xp.divide(dtops[0], max(1, self._shape[0]), out=self._factor)
            self.device.put(self._slope, dx)
            self.xp.multiply(dx, self._factor, out=dx)

    @property
    def map_anchors(self) -> Array:
        """The anchors of the map, (B, 2)."""
        raise NotImplementedError

    @property
    def extent(self) -> tuple[float, float]:
        """Width and height of the image, in the unit of the anchors."""
        raise NotImplementedError

    def match_anchor(self, size: Array, boxes: Array) -> int | None:
        """The index of the box of a cell, of B, for a truth of this width and height, (2,)."""
        raise NotImplementedError

    def compute_loss(
        self, numbers: Array, boxes: Array, free: Array, matches: Matches, slope: Array
    ) -> float:
        """The sum of the loss; writes its gradient to ``slope``, which is zeros.

        Args:
            numbers: N x H x W x B x (5 + C), the net's output.
            boxes: N x H x W x B x 4, the predicted corners.
            free: N x H x W x B, whether a box overlaps no truth by more than thresh.
            matches: the boxes that are matched to truths.
            slope: the shape of numbers.
        """
        raise NotImplementedError

    def targets(self, matches: Matches) -> Array:
        """Target offsets in the cell, and log ratios of width and height to the anchor: (M, 4)."""
        _, row, column, box = matches.places
        height, width = self._shape[2:]
        wanted = matches.truths[:, 1:].copy()
        wanted[:, 0] = wanted[:, 0] * width - column
        wanted[:, 1] = wanted[:, 1] * height - row
        wanted[:, 2:] = np.log(wanted[:, 2:] * np.array(self.extent) / self.map_anchors[box])
        return wanted

    def _match(self, truths: list[Array], boxes: Array) -> Matches:
        """Match truths to boxes; of several truths with one box, the last gives its target."""
        height, width = self._shape[2:]
        found: dict[tuple[int, int, int, int], list[Array]] = {}
        for image, rows in enumerate(truths):
            for truth in rows:
                row, column = int(truth[2] * height), int(truth[1] * width)
                box = self.match_anchor(truth[3:], boxes[image, row, column])
                if box is not None:
                    found.setdefault((image, row, column, box), []).append(truth)
        classes = np.zeros((len(found), self.classes))
        for place, own in enumerate(found.values()):
            for truth in own:
                classes[place, int(truth[0])] = 1
        places = np.array(list(found), int).reshape(-1, 4)
        rows = np.array([own[-1] for own in found.values()], float).reshape(-1, NUMBERS)
        return Matches(tuple(places.T), rows, classes)

    def _read(self, labels: Array) -> list[Array]:
        """The truths of each image, (T, 5): the rows before the first of width 0.

        Raises:
            LayerError: for an invalid class, or a box that is invalid or outside the image.
        """
        found = []
        for image, rows in enumerate(labels.reshape(len(labels), -1, NUMBERS).astype(float)):
            ends = np.flatnonzero(rows[:, 3] == 0)
            rows = rows[: ends[0]] if len(ends) else rows
            label, centre, size = np.trunc(rows[:, 0]), rows[:, 1:3], rows[:, 3:]
            for valid, expected in (
                ((label >= 0) & (label < self.classes), f"a class of 0 to {self.classes - 1}"),
                (((centre >= 0) & (centre < 1)).all(axis=1), "x and y of 0 up to 1"),
                (((size > 0) & np.isfinite(size)).all(axis=1), "width and height above 0"),
            ):
                if not valid.all():
                    row = int(np.argmin(valid))
                    values = ", ".join(f"{value:g}" for value in rows[row])
                    raise LayerError(
                        f'layer "{self.name}" ({self.type}): expected {expected} in row {row} of '
                        f"image {image} of '{self.spec.bottom[1]}', got {values}",
                        ("bottom", 1),
                        "rows are class, x, y, width, height, in fractions of the image",
                    )
            found.append(rows)
        return found


def corners_of(rows: Array) -> Array:
    """The corners of truths (T, 5)."""
    centre, half = rows[:, 1:3], rows[:, 3:] / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def best_overlap(size: Array, sizes: Array) -> int:
    """The index of the size of ``sizes`` (A, 2) of highest IoU with ``size``, both centred."""
    zeros = np.zeros_like(sizes)
    table = overlaps(np.concatenate([zeros, sizes], axis=1), np.array([[0, 0, *size]]))
    return int(table[:, 0].argmax())

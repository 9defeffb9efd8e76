"""The Python layers of DetectNet: boxes from its grid, and their precision and recall.

Source: NVIDIA/caffe, python/caffe/layers/detectnet/clustering.py and mean_ap.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from protonet.blob import Array
from protonet.errors import LayerError
from protonet.kernels.boxes import overlaps
from protonet.kernels.grouping import group_rectangles
from protonet.layers.builtin_python import BuiltinLayer
from protonet.layers.python_api import Blob

_PARAM = ("python_param", "param_str")
_ROW = 5
_RIGHT, _WRONG, _MISSED = 1, 2, 3
"""Marks of boxes that were found and are objects, or none, and of objects that were not found."""
_LARGEST = 2**31 - 1


class _Listed(BuiltinLayer):
    """Base: settings from a ``param_str`` with numbers in this order, separated by commas.

    ``numbers_of`` has name, type and default of each; None as a default means required.
    """

    numbers_of: ClassVar[Sequence[tuple[str, Callable[[str], Any], float | None]]] = ()

    def _read(self) -> dict[str, Any]:
        words = [word.strip() for word in self.param_str.split(",")] if self.param_str else []
        shown = ", ".join(name for name, _, _ in self.numbers_of)
        if len(words) > len(self.numbers_of):
            raise LayerError(
                f"{self.name} expects {len(self.numbers_of)} numbers in param_str ({shown}), got "
                f"{len(words)}",
                _PARAM,
            )
        values: dict[str, Any] = {}
        for place, (name, kind, usual) in enumerate(self.numbers_of):
            if place >= len(words) and usual is not None:
                values[name] = usual
                continue
            try:
                values[name] = kind(words[place])
            except (IndexError, ValueError):
                found = f"got '{words[place][:40]}'" if place < len(words) else "it is missing"
                what = "a whole number" if kind is int else "a number"
                raise LayerError(
                    f"{self.name} expects {what} as {name} in param_str ({shown}): {found}", _PARAM
                ) from None
        return values


class _Clusters(_Listed):
    """Base: the boxes of cells whose coverage is high, for each class."""

    bottoms = (2, 2)
    tops = (1, 1_000_000)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        for key in ("img_size_x", "img_size_y", "stride", "num_classes", "max_boxes"):
            self.number(key, 1, _LARGEST)
        self.classes, self.most = self.settings["num_classes"], self.settings["max_boxes"]
        stride = self.settings["stride"]
        self.grid = (self.settings["img_size_y"] // stride, self.settings["img_size_x"] // stride)
        if min(self.grid) < 1:
            raise LayerError(
                f"{self.name} expects images of a stride of {stride} or more, got "
                f"{self.settings['img_size_x']}x{self.settings['img_size_y']}",
                _PARAM,
            )
        if len(top) != self.classes:
            raise LayerError(
                f"{self.name} expects a top for each of {self.classes} class(es) of param_str, got "
                f"{len(top)}",
                ("top",),
            )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        coverage, boxes = bottom[0].shape, bottom[1].shape
        for place, (shape, count) in enumerate(((coverage, self.classes), (boxes, 4))):
            fits = len(shape) == 4 and shape[:2] == (coverage[0], count)
            if not fits or shape[2] < self.grid[0] or shape[3] < self.grid[1]:
                expected = f"{coverage[0]} x {count} x {self.grid[0]} x {self.grid[1]}"
                raise LayerError(
                    f"{self.name} expects {expected} as bottom {place}, got "
                    f"{' x '.join(map(str, shape))}",
                    ("bottom", place),
                )
        for blob in top:
            blob.reshape(coverage[0], self.most, _ROW)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Write to each top the boxes of a class: N x max_boxes x 5, zeros behind the last."""
        coverage, offsets = (np.asarray(blob.data, np.float64) for blob in bottom)
        for label, blob in enumerate(top):
            blob.data[...] = 0
            for image in range(len(coverage)):
                rows = self.rows_of(*self._proposed(coverage[image, label], offsets[image]))
                blob.data[image, : len(rows)] = rows[: self.most]

    def _proposed(self, coverage: Array, offsets: Array) -> tuple[Array, Array]:
        """Corners (n, 4) in pixels of the boxes of cells that count, and their coverage."""
        high, wide = self.grid
        shown = coverage[:high, :wide]
        rows, columns = np.nonzero(self.counts(shown))
        stride_x, stride_y = (
            self.settings["img_size_x"] // wide,
            self.settings["img_size_y"] // high,
        )
        cells = np.stack([columns * stride_x, rows * stride_y] * 2, axis=1)
        return offsets[:, rows, columns].T + cells, shown[rows, columns]

    def counts(self, coverage: Array) -> Array:
        """Which cells have a box."""
        raise NotImplementedError

    def rows_of(self, boxes: Array, coverage: Array) -> Array:
        """The rows of one image and class: xmin, ymin, xmax, ymax, confidence."""
        raise NotImplementedError


_GRID = (("img_size_x", int, None), ("img_size_y", int, None), ("stride", int, None))


class ClusterGroundtruth(_Clusters):
    """The boxes of the labels of a grid, each once; the confidence is 0."""

    numbers_of = (*_GRID, ("num_classes", int, 1), ("max_boxes", int, 50))

    def counts(self, coverage: Array) -> Array:
        return coverage > 0

    def rows_of(self, boxes: Array, coverage: Array) -> Array:
        # Each cell has the distances to the same corners, which float32 rounds differently.
        _, first = np.unique(np.round(boxes, 2), axis=0, return_index=True)
        kept = boxes[np.sort(first)]
        return np.concatenate([kept, np.zeros((len(kept), 1))], axis=1)


class ClusterDetections(_Clusters):
    """The boxes that a grid predicts, grouped; the confidence is the logarithm of their number."""

    numbers_of = (
        *_GRID,
        ("gridbox_cvg_threshold", float, None),
        ("gridbox_rect_threshold", int, None),
        ("gridbox_rect_eps", float, None),
        ("min_height", int, None),
        ("num_classes", int, 1),
        ("max_boxes", int, 50),
    )

    def counts(self, coverage: Array) -> Array:
        found: Array = coverage >= self.settings["gridbox_cvg_threshold"]
        return found

    def rows_of(self, boxes: Array, coverage: Array) -> Array:
        # The corners are taken for x, y, width and height, as in NVIDIA's layer.
        boxes = boxes[np.isfinite(boxes).all(axis=1) & (np.abs(boxes) < _LARGEST).all(axis=1)]
        whole = np.rint(boxes).astype(np.int64)
        groups, sizes = group_rectangles(
            whole, self.settings["gridbox_rect_threshold"], self.settings["gridbox_rect_eps"]
        )
        tall = groups[:, 3] - groups[:, 1] >= self.settings["min_height"]
        groups, sizes = groups[tall], sizes[tall]
        if len(groups) > self.most:
            best = np.sort(np.argsort(-sizes, kind="stable")[: self.most])
            groups, sizes = groups[best], sizes[best]
        return np.concatenate([groups, np.log(sizes)[:, None]], axis=1)


class ScoreDetections(_Listed):
    """Marks boxes: right (1) or wrong (2), and objects that no box found (3)."""

    bottoms = (2, 2)
    numbers_of = (("iou_threshold", float, 0.7),)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for place, blob in enumerate(bottom):
            if len(blob.shape) != 3 or blob.shape[::2] != (bottom[0].shape[0], _ROW):
                raise LayerError(
                    f"{self.name} expects {bottom[0].shape[0]} x R x {_ROW} as bottom {place}, got "
                    f"{' x '.join(map(str, blob.shape))}",
                    ("bottom", place),
                )
        top[0].reshape(bottom[0].shape[0], bottom[0].shape[1] + bottom[1].shape[1], _ROW)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].data[...] = 0
        for image, (truths, found) in enumerate(zip(bottom[0].data, bottom[1].data, strict=True)):
            rows = self._scored(_boxes(truths), _boxes(found))
            top[0].data[image, : len(rows)] = rows

    def _scored(self, truths: Array, found: Array) -> Array:
        """Each object in turn takes the first free box that overlaps it enough."""
        near = overlaps(truths, found) >= self.settings["iou_threshold"]
        taken, hit = np.zeros(len(found), bool), np.zeros(len(truths), bool)
        for place, fits in enumerate(near):
            free = np.flatnonzero(fits & ~taken)
            if len(free):
                taken[free[0]] = hit[place] = True
        parts = ((found[taken], _RIGHT), (found[~taken], _WRONG), (truths[~hit], _MISSED))
        return np.concatenate([np.insert(rows, 4, mark, axis=1) for rows, mark in parts])


class MAP(BuiltinLayer):
    """Precision and recall of marked boxes in percent, and their product over 100."""

    bottoms = (1, 1)
    tops = (3, 3)

    def _read(self) -> dict[str, Any]:
        """NVIDIA's layer reads none, but DIGITS' network has some."""
        return {}

    @property
    def name(self) -> str:
        return "mAP"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for blob in top:
            blob.reshape(1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        marks = bottom[0].data[..., 4]
        right, wrong, missed = (
            int(np.count_nonzero(marks == mark)) for mark in (_RIGHT, _WRONG, _MISSED)
        )
        precision, recall = (
            100 * right / count if count else 0.0 for count in (right + wrong, right + missed)
        )
        values = (precision * recall / 100, precision, recall)
        for blob, value in zip(top, values, strict=True):
            blob.data[...] = value


def _boxes(rows: Array) -> Array:
    """The corners of the rows that are not zero."""
    boxes = np.asarray(rows[:, :4], np.float64)
    return boxes[boxes.any(axis=1)]

"""Boxes of data sets in pixels to objects of records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from protonet.data.boxes import Objects, project
from protonet.data.datum import encoded_shape
from protonet.data.detection_set import AnnotatedFile, NamedBox
from protonet.data.detectnet_labels import DETAILS
from protonet.data.orientation import orientation_of
from protonet.data.record_format import RecordFormat
from protonet.data.resize import fitted_window
from protonet.errors import DataError, nearest
from protonet.proto.caffe_pb2 import EmitConstraint

_ROUNDING = 1.0
"""Pixels by which a box may exceed the image: it is clipped."""
_HEAD = 2**16
"""Bytes in which the header of a JPEG lies, as a rule."""
_JPEG = b"\xff\xd8\xff"


class MeasuredFile(NamedTuple):
    """An image file, its (height, width) with what it is padded by, and its objects in fractions of
    the record.
    """

    file: AnnotatedFile
    size: tuple[int, int]
    objects: Objects


@dataclass(frozen=True)
class Boxes:
    """Makes objects of boxes.

    Args:
        labels: the classes' numbers by the names of boxes.
        form: of the records; boxes follow the image where it is cropped or filled.
        only: boxes of other classes are left out; else they are a mistake.
        repair: clip boxes to the image and leave out what is then empty; else a mistake.
        least: boxes with a side of fewer pixels are left out.
        counts: what was left out or clipped, by what it is for people.
    """

    labels: Mapping[str, int]
    form: RecordFormat
    only: bool = False
    repair: bool = False
    least: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def measured(self, file: AnnotatedFile) -> MeasuredFile:
        """An image with its objects.

        Raises:
            DataError: for an image that cannot be read, or naming a box that cannot be used.
        """
        size = image_size(file.path, file.where)
        told = size if file.size is None else file.size
        if told != size:
            self.counts["images of another size than their annotations tell"] += 1
        if not file.annotated:
            self.counts["images without annotations, stored without boxes"] += 1
        rows = [row for box in file.boxes if (row := self._row(box, file, told)) is not None]
        table = np.array(rows, np.float32).reshape(-1, 7 + DETAILS)
        height, width = told
        corners = table[:, :4] / np.array([width, height] * 2, np.float32)
        padded = size if self.form.pad is None else self.form.pad
        if padded != size:
            self.form.check_padding(size, file.where)
            shares = [size[1] / padded[1], size[0] / padded[0]]
            corners *= np.array(shares * 2, np.float32)
        detailed = any(box.details for box in file.boxes)
        marks = table[:, 4:] if detailed else table[:, 4:7]
        return MeasuredFile(file, padded, self._fitted(Objects(corners, marks), padded))

    def _row(
        self, box: NamedBox, file: AnnotatedFile, size: tuple[int, int]
    ) -> tuple[float, ...] | None:
        """Corners in pixels, the marks of an object, details; None for a box that is left out."""
        where = f"{file.source}{box.place}"
        if box.name not in self.labels:
            if not self.only:
                close = nearest(box.name, self.labels)
                raise DataError(f"{where}: the label map has no class '{box.name}'{close}")
            self.counts["boxes of other classes left out"] += 1
            return None
        corners = self._checked(box, where, size)
        if corners is None:
            self.counts["empty boxes left out"] += 1
            return None
        xmin, ymin, xmax, ymax = box.corners
        if min(xmax - xmin, ymax - ymin) < self.least:
            self.counts["boxes below the least size left out"] += 1
            return None
        details = box.details or (0.0,) * DETAILS
        return (*corners, self.labels[box.name], 0.0, box.difficult, *details)

    def _checked(self, box: NamedBox, where: str, size: tuple[int, int]) -> list[float] | None:
        """The corners within the image; None for a box that is empty there."""
        limits = (size[1], size[0], size[1], size[0])
        inside = [min(max(x, 0.0), limit) for x, limit in zip(box.corners, limits, strict=True)]
        xmin, ymin, xmax, ymax = box.corners
        beyond = max(abs(x - y) for x, y in zip(box.corners, inside, strict=True))
        text = " ".join(f"{x:g}" for x in box.corners)
        advice = "; --repair clips boxes to their images and leaves out empty ones"
        if not np.isfinite(box.corners).all():
            raise DataError(f"{where}: the box {text} is not of finite numbers")
        if not self.repair and not (xmin < xmax and ymin < ymax):
            raise DataError(
                f"{where}: the box {text} is empty: expected xmin < xmax and ymin < ymax{advice}"
            )
        if not self.repair and beyond > _ROUNDING:
            raise DataError(f"{where}: the box {text} exceeds the image {file_size(size)}{advice}")
        if inside[0] >= inside[2] or inside[1] >= inside[3]:
            if not self.repair:
                raise DataError(f"{where}: the box {text} is not in the image{advice}")
            return None
        if beyond:
            self.counts["boxes clipped to their images"] += 1
        return inside

    def _fitted(self, objects: Objects, size: tuple[int, int]) -> Objects:
        """The objects whose centres the record shows, clipped to it."""
        if self.form.size is None or self.form.fit == "squash":
            return objects
        window = fitted_window(size, self.form.size, self.form.fit)
        shown = project(objects, window, EmitConstraint())
        lost = len(objects.boxes) - len(shown.boxes)
        if lost:
            self.counts["boxes whose centres are cropped away left out"] += lost
        return shown


def measure_all(files: Iterable[AnnotatedFile], boxes: Boxes) -> list[MeasuredFile]:
    """All of a part: mistakes are found before anything is written."""
    return [boxes.measured(file) for file in files]


def file_size(size: tuple[int, int]) -> str:
    """For messages."""
    return f"of width {size[1]} and height {size[0]}"


def image_size(path: Path, where: str) -> tuple[int, int]:
    """Height and width of an image, upright, from its header; ``where`` names it in messages.

    Raises:
        DataError: when it cannot be read or is no image.
    """
    try:
        with path.open("rb") as opened:
            data = opened.read(_HEAD)
            try:
                if data.startswith(_JPEG):
                    return _upright_size(data, str(path))
            except DataError:  # a header that is longer
                pass
            return _upright_size(data + opened.read(), where)
    except OSError as error:
        raise DataError(f"{where}: cannot be read: {error.strerror}: {path}") from error


def _upright_size(data: bytes, where: str) -> tuple[int, int]:
    _, height, width = encoded_shape(data, where)
    turned = orientation_of(data) >= 5
    return (width, height) if turned else (height, width)

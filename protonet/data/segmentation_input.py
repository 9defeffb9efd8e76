"""What a data set for segmentation is made of: pairs and classes, all read before anything is
written.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from protonet.data.class_table import ClassTable
from protonet.data.create import Progress
from protonet.data.detection_boxes import file_size, image_size
from protonet.data.detection_set import Division, read_file
from protonet.data.label_images import CODINGS, LabelReader, RawLabels, read_raw
from protonet.data.segmentation_classes import GivenClasses, in_palette, refuse_colours
from protonet.data.segmentation_set import (
    LabelledImage,
    SegmentationSet,
    is_voc,
    read_folders,
    read_pair_list,
    read_voc,
)
from protonet.errors import DataError, UsageError

FORMS = ("folders", "voc", "list")
"""What data sets are read."""


class MeasuredPair(NamedTuple):
    """A pair, its (height, width), and the checksum of its label picture."""

    file: LabelledImage
    size: tuple[int, int]
    digest: int


@dataclass(frozen=True)
class MeasuredSet:
    """All that decides the databases of a data set.

    Attributes:
        parts: the pairs of ``train`` and ``val``.
        table: the classes.
        pixels: of each class, and of ignored ones, by number.
        counts: what was left out, by what it is for people.
    """

    parts: Mapping[str, Sequence[MeasuredPair]]
    table: ClassTable
    pixels: Counter[int]
    counts: Mapping[str, int]


@dataclass(frozen=True)
class SegmentationInput:
    """A data set: a folder, or a list of pairs.

    ``form`` is one of FORMS, or None to tell by what is there; ``labels`` the folder of the label
    pictures, ``base`` that of the files of a list. ``coding`` is one of CODINGS, or None to tell
    by each label picture.

    Raises:
        UsageError: for another form or coding.
    """

    root: Path
    form: str | None = None
    labels: Path | None = None
    base: Path | None = None
    division: Division = field(default_factory=Division)
    classes: GivenClasses = field(default_factory=GivenClasses)
    coding: str | None = None
    only_pairs: bool = False

    def __post_init__(self) -> None:
        for what, value, known in (("form", self.form, FORMS), ("coding", self.coding, CODINGS)):
            if value is not None and value not in known:
                raise UsageError(f"--{what} {value}: expected one of {', '.join(known)}")

    def measure(self, progress: Progress | None = None) -> MeasuredSet:
        """Read all label pictures and the headers of all images.

        Raises:
            UsageError: for a folder of no known form, or classes that are not told.
            DataError: for files that cannot be used.
        """
        form = self._form()
        found, division = self._found(form)
        divided = division.parts(found)
        measuring = _Measuring(self.classes, self.coding, self.classes.table(voc=form == "voc"))
        total, done = sum(map(len, divided.values())), 0
        parts: dict[str, list[MeasuredPair]] = {part: [] for part in divided}
        for part, files in divided.items():
            for file in files:
                parts[part].append(measuring.measured(file))
                done += 1
                if progress is not None:
                    progress(done, total)
        return MeasuredSet(parts, measuring.all_classes(), measuring.pixels, found.counts)

    def _form(self) -> str:
        if not self.root.exists():
            raise UsageError(f"{self.root}: there is no such file or folder")
        if self.form is not None:
            form = self.form
        elif self.root.is_file():
            form = "list"
        else:
            form = "voc" if is_voc(self.root) else "folders"
        if form == "list" and not self.root.is_file():
            raise UsageError(f"{self.root}: is a folder, not a list of pairs")
        if form != "list" and not self.root.is_dir():
            raise UsageError(f"{self.root}: is a file; --form list reads a list of pairs")
        for name, value, only in (("base", self.base, True), ("labels", self.labels, False)):
            if value is not None and (form == "list") != only:
                raise UsageError(f"--{name} does not apply: {self.root} is of the form {form}")
        return form

    def _found(self, form: str) -> tuple[SegmentationSet, Division]:
        """The pairs, and how to divide them."""
        if form == "voc":
            return read_voc(self.root, self.labels), self.division
        if form == "folders":
            found = read_folders(self.root, self.labels, only_pairs=self.only_pairs)
            return found, self.division
        if self.division.train_list is not None:
            raise UsageError(f"--train-list does not apply: {self.root} is the list to train on")
        pairs = read_pair_list(self.root, self.base)
        if self.division.val_list is None:
            return SegmentationSet(pairs), self.division
        val = read_pair_list(self.division.val_list, self.base)
        parts = {"train": pairs, "val": val}
        return SegmentationSet((), parts), replace(self.division, val_list=None)


@dataclass
class _Measuring:
    """The label pictures that were read so far."""

    given: GivenClasses
    coding: str | None
    table: ClassTable | None
    pixels: Counter[int] = field(default_factory=Counter)
    _first: RawLabels | None = None

    def measured(self, file: LabelledImage) -> MeasuredPair:
        """Read a pair."""
        data = read_file(file.labels)
        raw = read_raw(data, file.labels_where, self.coding)
        size = image_size(file.path, file.where)
        if size != raw.values.shape:
            raise DataError(
                f"{file.labels_where}: is {file_size(raw.values.shape)}, but its image "
                f"{file.path} {file_size(size)}"
            )
        if self._first is None:
            self._first = raw
            if self.table is not None and self.given.named_only:
                self.table = in_palette(self.table, raw)
        if self.table is not None:
            LabelReader(self.table, self.coding, self.pixels).classes(raw, file.labels_where)
        elif raw.colours:
            raise refuse_colours(raw, file.labels_where)
        else:
            values, counts = np.unique(raw.values, return_counts=True)
            self.pixels.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
        return MeasuredPair(file, size, zlib.crc32(data))

    def all_classes(self) -> ClassTable:
        """The classes, once all are read."""
        if self.table is not None:
            return self.table
        assert self._first is not None, "a data set without images is refused"
        return self.given.of_values(self.pixels, self._first)

"""Data sets of images and label pictures to paired databases of images and classes of pixels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from protonet.data.class_table import ClassTable, write_class_table
from protonet.data.create import Progress, write_mean
from protonet.data.datum import encode_image, make_datum
from protonet.data.detection_boxes import file_size
from protonet.data.detection_set import read_file
from protonet.data.record_format import RecordFormat
from protonet.data.resize import fit_labels
from protonet.data.resumable import ResumableOutput, Settings, refuse_existing, resumable_output
from protonet.data.segmentation_input import (
    MeasuredPair,
    MeasuredSet,
    SegmentationInput,
    each_class,
)
from protonet.data.writer import DatabaseWriter
from protonet.errors import DataError
from protonet.proto.caffe_pb2 import Datum


@dataclass(frozen=True)
class Converted:
    """The number of images of each part, the classes, the pixels of each (and of ignored ones) in
    the label pictures, and the number of files left out.
    """

    parts: Mapping[str, int]
    table: ClassTable
    pixels: Mapping[int, int]
    counts: Mapping[str, int]


def convert_segmentation(
    given: SegmentationInput,
    folder: Path,
    form: RecordFormat,
    *,
    restart: bool = False,
    checking: Progress | None = None,
    progress: Progress | None = None,
) -> Converted:
    """Make the databases train_images and train_labels, val_images and val_labels in a new
    ``folder``, with class_table.csv and train_mean.binaryproto.

    Labels are records of one channel under the keys of their images, PNG images where images are
    stored as files. They are resized with their images, to the nearest pixel; what ``form`` fills
    is ignored, or class 0 where nothing is.

    All label pictures and the headers of all images are read first, with ``checking`` called after
    each: nothing is written when one of them is wrong. An interrupted conversion resumes as in
    ``data.convert.convert_vectors``.

    Raises:
        UsageError: when the folder exists, or was started with other settings; for classes that
            are not told.
        DataError: for files that cannot be used; names them.
    """
    refuse_existing(folder)
    found = given.measure(checking)
    if form.size is None:
        _check_sizes([each for files in found.parts.values() for each in files])
    with resumable_output(folder, _settings(given, found, form), restart=restart) as work:
        writing = _Writing(work, found, form, given.coding, progress)
        for part in found.parts:
            writing.write(part)
        if not (work.folder / "train_mean.png").exists():
            write_mean(work.folder, "train", progress)
        write_class_table(work.folder, found.table)
    parts = {part: len(files) for part, files in found.parts.items()}
    return Converted(parts, found.table, found.pixels, found.counts)


def _settings(given: SegmentationInput, found: MeasuredSet, form: RecordFormat) -> Settings:
    """What decides the databases, beside the pairs."""
    own = {
        "root": str(given.root.resolve()),
        "coding": given.coding,
        "classes": "; ".join(found.table.text().splitlines()[1:]),
    }
    return Settings({**form.values(), **own})


def _check_sizes(files: Sequence[MeasuredPair]) -> None:
    """Refuse images of different sizes."""
    for each in files:
        if each.size != files[0].size:
            raise DataError(
                f"{each.file.where}: is {file_size(each.size)}, but {files[0].file.where} "
                f"{file_size(files[0].size)}; --width and --height make all images of one size"
            )


@dataclass
class _Writing:
    """Pairs on their way into databases."""

    work: ResumableOutput
    found: MeasuredSet
    form: RecordFormat
    coding: str | None
    progress: Progress | None
    _done: int = 0

    def write(self, part: str) -> None:
        """Write the records of a part that are not there yet."""
        files, stem = self.found.parts[part], self.work.folder / part
        with (
            DatabaseWriter(Path(f"{stem}_images"), resume=True) as images,
            DatabaseWriter(Path(f"{stem}_labels"), resume=True) as labels,
        ):
            # Records are committed in their order. One of the two databases may be ahead; what it
            # has is written once more.
            begin = min(len(images), len(labels))
            rows = [json.dumps([each.file.name, each.digest]) for each in files]
            if self.work.check_rows(rows, begin, lambda at: files[at].file.where, part):
                (self.work.folder / f"{part}_mean.png").unlink(missing_ok=True)
            self._watch(begin)
            pairs = each_class(files, begin, self.found.table, self.coding)
            for index, (file, classes) in enumerate(pairs, begin):
                key = f"{index:08d}_{file.name}".encode("utf-8", "surrogateescape")
                made = self.form.record(read_file(file.path), file.where, file.name)
                images.put(key, made.datum)
                labels.put(key, self._record(classes))
                self._watch(index + 1)
        self._done += len(files)

    def _record(self, classes: np.ndarray) -> Datum:
        """The classes of a picture, resized with its image, as a record."""
        if self.form.size is not None:
            ignore = self.found.table.ignore
            rest = 0 if ignore is None else ignore
            classes = fit_labels(classes, *self.form.size, self.form.fit, rest)
        encoded = False if self.form.encoded is None else encode_image(classes)
        return make_datum(classes[None], encoded=encoded)

    def _watch(self, done: int) -> None:
        """So many records of the part that is begun are done."""
        self.work.done = self._done + done
        if self.progress is not None:
            self.progress(self.work.done, sum(map(len, self.found.parts.values())))

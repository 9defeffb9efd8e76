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
from protonet.data.label_images import LabelReader, read_raw
from protonet.data.record_format import RecordFormat
from protonet.data.resize import fit_labels
from protonet.data.resumable import ResumableOutput, Settings, refuse_existing, resumable_output
from protonet.data.segmentation_input import (
    MeasuredPair,
    MeasuredSet,
    SegmentationInput,
)
from protonet.data.segmentation_set import LabelledImage
from protonet.data.writer import DatabaseWriter
from protonet.errors import DataError
from protonet.proto.caffe_pb2 import Datum
from protonet.ranks.pool import IN_TURN, Pool, opening


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
    pool: Pool = IN_TURN,
) -> Converted:
    """Make the databases train_images and train_labels, val_images and val_labels in a new
    ``folder``, with class_table.csv and train_mean.binaryproto.

    Labels are records of one channel under the keys of their images, PNG images where images are
    stored as files. They are resized with their images, to the nearest pixel; what ``form`` fills
    is ignored, or class 0 where nothing is.

    All label pictures and the headers of all images are read first, with ``checking`` called after
    each: nothing is written when one of them is wrong. An interrupted conversion resumes as in
    ``data.convert.convert_vectors``. The ranks of ``pool`` read and encode images and pictures.

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
        writing = _Writing(work, found, form, given.coding, progress, pool)
        for part in found.parts:
            writing.write(part)
        if not (work.folder / "train_mean.png").exists():
            write_mean(work.folder, "train", progress, pool)
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


@dataclass(frozen=True)
class _PairEncoder:
    """Makes serialized records of an image and of the classes of its pixels, on any rank."""

    form: RecordFormat
    reader: LabelReader

    def __call__(self, file: LabelledImage) -> tuple[bytes, bytes]:
        """The two records of a pair."""
        raw = read_raw(read_file(file.labels), file.labels_where, self.reader.coding)
        classes = self.reader.classes(raw, file.labels_where)
        made = self.form.record(read_file(file.path), file.where, file.name)
        return made.datum.SerializeToString(), self._record(classes).SerializeToString()

    def _record(self, classes: np.ndarray) -> Datum:
        """The classes of a picture, resized with its image, as a record."""
        if self.form.size is not None:
            ignore = self.reader.table.ignore
            rest = 0 if ignore is None else ignore
            classes = fit_labels(classes, *self.form.size, self.form.fit, rest)
        encoded = False if self.form.encoded is None else encode_image(classes)
        return make_datum(classes[None], encoded=encoded)


@dataclass
class _Writing:
    """Pairs on their way into databases."""

    work: ResumableOutput
    found: MeasuredSet
    form: RecordFormat
    coding: str | None
    progress: Progress | None
    pool: Pool
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
            pairs = _PairEncoder(self.form, LabelReader(self.found.table, self.coding))
            made = self.pool.map(opening(pairs), (each.file for each in files[begin:]))
            for index, (image, classes) in enumerate(made, begin):
                key = f"{index:08d}_{files[index].file.name}".encode("utf-8", "surrogateescape")
                images.put(key, image)
                labels.put(key, classes)
                self._watch(index + 1)
        self._done += len(files)

    def _watch(self, done: int) -> None:
        """So many records of the part that is begun are done."""
        self.work.done = self._done + done
        if self.progress is not None:
            self.progress(self.work.done, sum(map(len, self.found.parts.values())))

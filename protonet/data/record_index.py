"""An index of a database: its keys by their places, and the records of each class.

It is made once and kept in files that are mapped into memory: a million records are opened at once,
and any of them, or of a class, is found without reading the others.
"""

from __future__ import annotations

import json
import os
import shutil
from array import array
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from protonet.data.create import Progress
from protonet.data.database import DATA_FILE, Database
from protonet.data.datum import decode
from protonet.data.wire import datum_bytes, without
from protonet.errors import DataError
from protonet.formats.json_text import parse_json
from protonet.proto.caffe_pb2 import AnnotatedDatum, Datum

_VERSION = 1
_TOLD_EVERY = 1000
"""Records between calls of ``progress``."""
_DATA = Datum.DESCRIPTOR.fields_by_name["data"].number
_IMAGE = AnnotatedDatum.DESCRIPTOR.fields_by_name["datum"].number

Counted = Callable[[bytes, memoryview], Mapping[int, int]]
"""The classes of a record, by its key and value, with the number of things of each."""


@dataclass(frozen=True)
class ClassCount:
    """A class: the records that have it, and the things of it in all of them."""

    number: int
    records: int
    things: int


class RecordIndex:
    """An index that ``build_index`` has made.

    Raises:
        DataError: when there is none for these databases as they are now.
    """

    def __init__(self, folder: Path, images: Path, labels: Path | None = None) -> None:
        try:
            told = parse_json((folder / "index.json").read_text())
            if told["version"] != _VERSION or told["stamp"] != stamp_of(images, labels):
                raise DataError(f"{folder}: is the index of another database, or of an older state")
            self._keys = np.memmap(folder / "keys.bin", np.uint8, "r")
            self._ends = np.load(folder / "ends.npy", mmap_mode="r", allow_pickle=False)
            self._rows = np.load(folder / "rows.npy", mmap_mode="r", allow_pickle=False)
            self.classes = tuple(ClassCount(*each) for each in told["classes"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{folder}: there is no index: {error}") from error

    def __len__(self) -> int:
        return len(self._ends)

    def key(self, place: int) -> bytes:
        """The key at a place in the order of the database."""
        begin = int(self._ends[place - 1]) if place else 0
        return self._keys[begin : int(self._ends[place])].tobytes()

    def of_class(self, number: int) -> np.ndarray:
        """The places of the records that have a class, in order."""
        begin = 0
        for each in self.classes:
            if each.number == number:
                return np.asarray(self._rows[begin : begin + each.records])
            begin += each.records
        return np.zeros(0, np.int64)

    def containing(self, text: bytes) -> np.ndarray:
        """The places of the records whose keys contain a text, in order."""
        size = len(text)
        if not size:
            return np.arange(len(self), dtype=np.int64)
        last = len(self._keys) - size + 1
        if last < 1:
            return np.zeros(0, np.int64)
        letters = np.frombuffer(text, np.uint8)
        # The rarest letter first: the others are looked at only where it is.
        frequency = np.bincount(self._keys[:100_000], minlength=256)[letters]
        rarest = int(frequency.argmin())
        found = np.flatnonzero(self._keys[rarest : rarest + last] == letters[rarest])
        for place, letter in enumerate(letters):
            if place != rarest:
                found = found[self._keys[found + place] == letter]
        begins = np.zeros(len(self._keys), bool)
        begins[found] = True
        for over in range(1, size):  # it must not go on into the next key
            begins[np.maximum(self._ends - over, 0)] = False
        first = np.concatenate([[0], self._ends[:-1]])
        return np.flatnonzero(np.logical_or.reduceat(begins, first)).astype(np.int64)


def build_index(
    folder: Path,
    images: Path,
    labels: Path | None,
    form: str,
    progress: Progress | None = None,
) -> None:
    """Make the index of a database in ``folder``, which is replaced.

    Args:
        folder: for the files.
        images: the database.
        labels: that of its labels, for ``segmentation``.
        form: classes are the labels of records for ``classification``, those of boxes for
            ``detection``, of pixels for ``segmentation``; none for another form.
        progress: called now and then.

    Raises:
        DataError: for records that cannot be read.
    """
    stamp, found = stamp_of(images, labels), _Gathered()
    with Database(images) as database:
        total = len(database)
        counted, close = _counted(form, labels)

        def look(key: bytes, record: memoryview) -> None:
            done = found.add(key, counted(key, record))
            if progress is not None and (done % _TOLD_EVERY == 0 or done == total):
                progress(done, total)

        try:
            database.scan(look)
        finally:
            close()
    _write(folder, stamp, found)


class _Gathered:
    """What an index is made of: keys one behind the other, and classes with their records."""

    def __init__(self) -> None:
        self.keys = bytearray()
        self.ends = array("q")
        self._rows, self._classes, self._things = array("q"), array("q"), array("q")

    def add(self, key: bytes, classes: Mapping[int, int]) -> int:
        """Add a record; returns the number of records."""
        for number, count in classes.items():
            self._rows.append(len(self.ends))
            self._classes.append(number)
            self._things.append(count)
        self.keys.extend(key)
        self.ends.append(len(self.keys))
        return len(self.ends)

    def sorted(self) -> tuple[np.ndarray, list[ClassCount]]:
        """The records of each class, class after class, and the classes."""
        rows, classes, things = map(_array, (self._rows, self._classes, self._things))
        order = np.argsort(classes, kind="stable")
        numbers, counts = np.unique(classes, return_counts=True)
        return rows[order], [
            ClassCount(int(number), int(count), int(things[classes == number].sum()))
            for number, count in zip(numbers, counts, strict=True)
        ]


def _array(values: array[int]) -> np.ndarray:
    return np.frombuffer(values, np.int64) if values else np.zeros(0, np.int64)


def stamp_of(images: Path, labels: Path | None) -> list[int]:
    """What changes with the files of the databases."""
    found = []
    for path in (images, labels):
        if path is not None:
            try:
                status = (path / DATA_FILE if (path / DATA_FILE).exists() else path).stat()
                found += [status.st_mtime_ns, status.st_size, status.st_ino]
            except OSError:
                found += [-1]
    return found


def _counted(form: str, labels: Path | None) -> tuple[Counted, Callable[[], None]]:
    if form == "classification":
        return _label_of, lambda: None
    if form == "detection":
        return _boxes_of, lambda: None
    if form == "segmentation" and labels is not None:
        pictures = Database(labels)
        return lambda key, _: _pixels_of(pictures, key), pictures.close
    return lambda *_: {}, lambda: None


def _label_of(_: bytes, record: memoryview) -> dict[int, int]:
    return {Datum.FromString(without(datum_bytes(record), _DATA)).label: 1}


def _boxes_of(_: bytes, record: memoryview) -> dict[int, int]:
    found: dict[int, int] = {}
    for group in AnnotatedDatum.FromString(without(record, _IMAGE)).annotation_group:
        if group.annotation:
            number = group.group_label
            found[number] = found.get(number, 0) + len(group.annotation)
    return found


def _pixels_of(pictures: Database, key: bytes) -> dict[int, int]:
    plane = decode(pictures.get(key), pictures.where(key))
    if plane.dtype != np.uint8:
        raise DataError(f"{pictures.where(key)}: expected a class of 0 to 255 for each pixel")
    counts = np.bincount(plane.ravel(), minlength=256)
    return {int(number): int(counts[number]) for number in np.flatnonzero(counts)}


def _write(folder: Path, stamp: list[int], found: _Gathered) -> None:
    """The files, under their own name once they are whole."""
    rows, classes = found.sorted()
    told = {"version": _VERSION, "stamp": stamp, "classes": [astuple(each) for each in classes]}
    work = folder.with_name(f"{folder.name}.{os.getpid()}")
    try:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        (work / "keys.bin").write_bytes(found.keys)
        np.save(work / "ends.npy", _array(found.ends))
        np.save(work / "rows.npy", rows)
        (work / "index.json").write_text(json.dumps(told))
        shutil.rmtree(folder, ignore_errors=True)
        work.rename(folder)
    except OSError as error:
        raise DataError(f"{folder}: cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)

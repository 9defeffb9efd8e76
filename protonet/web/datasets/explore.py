"""Looking through a whole data set: by part, class and key, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from protonet.data.database import Database
from protonet.data.record_index import RecordIndex
from protonet.jobs.tasks.progress_log import Count
from protonet.web.checks import BusyError
from protonet.web.datasets.classes import Classes
from protonet.web.datasets.databases import Databases
from protonet.web.datasets.indexing import Indexes
from protonet.web.datasets.samples import images_of


class IndexingError(BusyError):
    """The index that a question needs is being made."""


@dataclass(frozen=True)
class Query:
    """Which images: of a part, those that hold a class, whose keys contain a text."""

    part: str = "train"
    number: int | None = None
    text: str = ""
    offset: int = 0
    count: int = 24


@dataclass(frozen=True)
class Found:
    """The keys of a page, and the number of all images that were asked for.

    ``total`` is None while the index is made: ``indexing`` tells how far it is.
    """

    keys: tuple[bytes, ...]
    total: int | None
    indexing: Count | None = None


@dataclass(frozen=True)
class ClassShare:
    """A class with the images of a part that hold it, and the things of it: boxes, pixels."""

    number: int
    name: str
    colour: str
    images: int
    things: int


@dataclass(frozen=True)
class PartShares:
    """The classes of a part, with its number of images; None while the index is made."""

    part: str
    images: int
    classes: tuple[ClassShare, ...] | None
    indexing: Count | None = None


def find(indexes: Indexes, folder: Path, databases: Databases, query: Query) -> Found:
    """The images of a query; the first ones of a part are there without its index.

    Raises:
        DataError: for databases that cannot be read.
        UsageError: for a part that the data set does not have.
    """
    index = indexes.of(folder, databases, query.part)
    end = query.offset + query.count
    if isinstance(index, RecordIndex):
        if query.number is None and not query.text:
            places, total = np.arange(query.offset, min(end, len(index))), len(index)
        else:
            rows = _rows(index, query.number, query.text)
            places, total = rows[query.offset : end], len(rows)
        return Found(tuple(index.key(int(place)) for place in places), total)
    if query.number is not None or query.text:
        return Found((), None, index)
    with Database(images_of(databases, query.part)) as images:
        return Found(tuple(images.some_keys(query.offset, query.count)), len(images), index)


def found_keys(found: Found) -> tuple[bytes, ...]:
    """The keys, for those who cannot wait.

    Raises:
        IndexingError: while the index is made.
    """
    if found.total is None:
        count = found.indexing
        told = f" ({count.done:,} of {count.total:,})" if count is not None and count.total else ""
        raise IndexingError(f"the images are being indexed{told}; ask again in a moment")
    return found.keys


def shares(indexes: Indexes, folder: Path, databases: Databases) -> list[PartShares]:
    """The classes of each part.

    Raises:
        DataError: for databases that cannot be read.
    """
    names = Classes.of(databases)
    parts = []
    for part in ("train", "val"):
        path, _ = databases.part(part)
        if path is None:
            continue
        index = indexes.of(folder, databases, part)
        if isinstance(index, RecordIndex):
            found = {each.number: each for each in index.classes}
            # Classes that no image has are shown, too, but not the background of boxes.
            named = set(names.names) - ({0} if databases.form == "detection" else set())
            classes = tuple(
                ClassShare(
                    number, names.name(number), names.colour(number),
                    found[number].records if number in found else 0,
                    found[number].things if number in found else 0,
                )
                for number in sorted(named | set(found))
            )  # fmt: skip
            parts.append(PartShares(part, len(index), classes))
            continue
        with Database(path) as images:
            parts.append(PartShares(part, len(images), None, index))
    return parts


@lru_cache(64)
def _rows(index: RecordIndex, number: int | None, text: str) -> np.ndarray:
    """The places of the images that are asked for, in order."""
    if number is None:
        return index.containing(text.encode())
    rows = index.of_class(number)
    if not text:
        return rows
    return np.intersect1d(rows, index.containing(text.encode()), assume_unique=True)

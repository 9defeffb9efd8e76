"""Predictions on many images, kept in a folder: written image by image, read in any order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self
from zipfile import BadZipFile

import numpy as np

from protonet.errors import FormatError
from protonet.formats.atomic import write_atomic
from protonet.formats.json_text import parse_json
from protonet.jobs.inference.classification import best
from protonet.jobs.json_form import from_json, to_json

_INFO, _NAMES = "predictions.json", "names.txt"
_SCORES, _TRUTHS, _RANKED = "scores.npy", "truths.npy", "ranked.npy"
_MOST_FAILED = 1000
BEST = 5
"""Classes of an image that are kept in order."""


@dataclass(frozen=True)
class About:
    """What was predicted: with the weights of ``iteration``, the output ``output`` for ``count``
    images.

    ``images`` is their database, folder or list; ``labels`` the database of their label vectors, or
    of the classes of their pixels; ``classes`` the names of the classes, empty for numbers.
    ``failed`` are messages on images that could not be read, the first thousand of ``failures``.
    ``form`` is what was predicted for an image: one array, or boxes, or the classes of its pixels.
    """

    iteration: int
    output: str
    images: Path
    labels: Path | None = None
    classes: tuple[str, ...] = ()
    count: int = 0
    failed: tuple[str, ...] = ()
    failures: int = 0
    form: str = "array"

    @property
    def of_classes(self) -> bool:
        """Whether each image has a class."""
        return self.form == "array" and bool(self.classes)

    @staticmethod
    def read(folder: Path) -> About:
        """That of the complete predictions of a folder.

        Raises:
            FormatError: for a file that is damaged, or absent.
        """
        path = folder / _INFO
        with reading(folder):
            return from_json(About, parse_json(path.read_text(encoding="utf-8")), str(path))

    def write(self, folder: Path) -> None:
        """Complete the predictions of a folder."""
        write_atomic(folder / _INFO, json.dumps(to_json(self)).encode())


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Report what is wrong with the files of predictions.

    Raises:
        FormatError: for files that are damaged, or absent.
    """
    try:
        yield
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise FormatError(f"{folder}: the predictions cannot be read: {error}") from error


def write_names(folder: Path, names: Iterable[str], file: str = _NAMES) -> None:
    """Write the keys or files of the images, a line for each."""
    with (folder / file).open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(name) + "\n" for name in names)


def read_names(folder: Path, count: int, file: str = _NAMES) -> tuple[str, ...]:
    """The keys or files of ``count`` images.

    Raises:
        FormatError: for a file that is damaged, absent, or has another number of them.
    """
    with reading(folder), (folder / file).open(encoding="utf-8") as lines:
        names = tuple(parse_json(line) for line in lines)
    if len(names) != count:
        raise FormatError(f"{folder}: the predictions are damaged: not all have {count} images")
    return names


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file of ``np.savez``, by name.

    Raises:
        FormatError: for a file that is damaged, or absent.
    """
    with (
        reading(path.parent),
        path.open("rb") as file,
        np.load(file, allow_pickle=False) as stored,
    ):
        return {name: stored[name] for name in stored.files}


class PredictionWriter:
    """Writes predictions to a new folder; they can be read after ``complete``. Use ``with``.

    Args:
        folder: exists, and has no predictions.
        about: what is predicted; ``count`` and ``failed`` are those that are added.
        most: the number of images, or more.
        width: numbers of a prediction.
    """

    def __init__(self, folder: Path, about: About, most: int, width: int) -> None:
        self._folder, self._about = folder, about
        true = 1 if about.of_classes else width
        self._scores = _new(folder / _SCORES, (most, width))
        self._truths = _new(folder / _TRUTHS, (most, true))
        self._ranked = _new(folder / _RANKED, (most, min(BEST, width)), np.int32)
        self._names = (folder / _NAMES).open("w", encoding="utf-8")
        self._failed: list[str] = []
        self._failures = self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._names.close()

    @property
    def of_classes(self) -> bool:
        """Whether each image has a class."""
        return self._about.of_classes

    def add(self, name: str, scores: np.ndarray, truth: Sequence[float] | None) -> None:
        """Add an image: its key or file, the net's output, and its class or numbers if known."""
        self._scores[self._count] = scores.ravel()
        self._truths[self._count] = np.nan if truth is None else truth
        if self._about.of_classes:
            self._ranked[self._count] = best(scores, BEST)
        self._names.write(json.dumps(name) + "\n")
        self._count += 1

    def fail(self, message: str) -> None:
        """Add an image that cannot be read."""
        self._failures += 1
        if len(self._failed) < _MOST_FAILED:
            self._failed.append(message)

    def complete(self) -> About:
        """Complete the files."""
        self._names.close()
        self._scores.flush()
        self._truths.flush()
        self._ranked.flush()
        about = replace(
            self._about,
            count=self._count,
            failed=tuple(self._failed),
            failures=self._failures,
        )
        about.write(self._folder)
        return about


@dataclass(frozen=True)
class StoredPredictions:
    """The predictions of a folder. ``scores`` (images x numbers) and ``truths`` (images x 1 for
    classes, images x numbers else; NaN where unknown) are mapped from their files, as ``ranked``,
    the classes of each image with the greatest scores, the greatest first (images x 5).
    """

    about: About
    scores: np.ndarray = field(repr=False)
    truths: np.ndarray = field(repr=False)
    ranked: np.ndarray = field(repr=False)
    names: tuple[str, ...] = field(repr=False)

    @staticmethod
    def read(folder: Path) -> StoredPredictions:
        """The complete predictions of a folder.

        Raises:
            FormatError: for files that are damaged, or absent.
        """
        about = About.read(folder)
        count, names = about.count, read_names(folder, about.count)
        with reading(folder):
            scores, truths, ranked = (
                np.load(folder / name, mmap_mode="r", allow_pickle=False)[:count]
                for name in (_SCORES, _TRUTHS, _RANKED)
            )
        if not len(scores) == len(truths) == count:
            raise FormatError(f"{folder}: the predictions are damaged: not all have {count} images")
        return StoredPredictions(about, scores, truths, ranked, names)


def _new(path: Path, shape: tuple[int, int], kind: type = np.float32) -> np.memmap[Any, Any]:
    return np.lib.format.open_memmap(path, "w+", dtype=kind, shape=shape)

"""Image files with boxes in pixels, as the annotations of detection data sets name them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from protonet.data.file_list import numbered_lines
from protonet.data.folders import ENDINGS
from protonet.errors import DataError, UsageError


class NamedBox(NamedTuple):
    """A box in pixels: xmin, ymin, xmax, ymax. ``place`` follows the file in messages: ":12".
    ``details`` are KITTI's other numbers, as ``detectnet_labels.DETAILS`` tells.
    """

    name: str
    corners: tuple[float, float, float, float]
    difficult: bool
    place: str
    details: tuple[float, ...] = ()


@dataclass(frozen=True)
class AnnotatedFile:
    """An image file with its boxes.

    Attributes:
        path: the image.
        name: the image below the folder of the data set.
        source: the file of the boxes, for messages.
        boxes: in the order of the file.
        place: of the image in ``source``, for messages.
        size: (height, width) that the annotations tell.
        annotated: whether there is a file of boxes, which may have none.
    """

    path: Path
    name: str
    source: Path
    boxes: tuple[NamedBox, ...]
    place: str = ""
    size: tuple[int, int] | None = None
    annotated: bool = True

    @property
    def where(self) -> str:
        """How messages name the image."""
        return f"{self.source}{self.place}: {self.name}"


class Listed(Protocol):
    """An image of a data set, whatever it is annotated with."""

    @property
    def name(self) -> str:
        """The image below the folder of the data set."""

    @property
    def where(self) -> str:
        """How messages name it."""


File = TypeVar("File", bound=Listed)
FoundFile = TypeVar("FoundFile", bound=Listed, covariant=True)

Parts = dict[str, list[AnnotatedFile]]
"""The images of ``train`` and ``val``."""


class Divisible(Protocol[FoundFile]):
    """A data set as it was found: its images in ``files``, or divided in ``parts``."""

    @property
    def files(self) -> Sequence[FoundFile]:
        """The images; none where ``parts`` has them."""

    @property
    def parts(self) -> Mapping[str, Sequence[FoundFile]] | None:
        """Where the data set is divided."""


@dataclass(frozen=True)
class DetectionSet:
    """A data set as it was found.

    Attributes:
        files: the images; none where ``parts`` has them.
        classes: display names by the names of boxes, in the order of the classes' numbers; None
            for the names of boxes in alphabetical order.
        parts: where the data set is divided.
        left_out: boxes that are no objects.
    """

    files: Sequence[AnnotatedFile]
    classes: Mapping[str, str] | None = None
    parts: Parts | None = None
    left_out: int = 0


@dataclass(frozen=True)
class Division:
    """How a data set is divided: by lists of image names, else as it is divided already where no
    ``val_share`` is given, else by chance, ``val_share`` (a quarter) for validation.
    """

    train_list: Path | None = None
    val_list: Path | None = None
    val_share: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.val_share is not None and (self.train_list or self.val_list):
            raise UsageError("--val-share and lists of images exclude each other")

    def parts(self, found: Divisible[File]) -> dict[str, list[File]]:
        """The images of each part that has any; those of ``train`` shuffled by the seed.

        Raises:
            UsageError: when none is left to train on.
            DataError: for a list that names an image that is not there, or is in another one.
        """
        if self.train_list is not None or self.val_list is not None:
            parts = self._listed(_all_of(found))
        elif found.parts is not None and self.val_share is None:
            parts = {part: list(files) for part, files in found.parts.items()}
        else:
            parts = self._drawn(_all_of(found))
        _check_names(parts)
        if not parts.get("train"):
            raise UsageError("there is no image to train on; see --val-share and --train-list")
        random = np.random.default_rng(self.seed)
        train = [parts["train"][place] for place in random.permutation(len(parts["train"]))]
        return {"train": train, "val": parts["val"]} if parts.get("val") else {"train": train}

    def _drawn(self, files: Sequence[File]) -> dict[str, list[File]]:
        share = 0.25 if self.val_share is None else self.val_share
        held = round(len(files) * share)
        order = np.random.default_rng([self.seed, 1]).permutation(len(files))
        val = set(order[:held].tolist())
        return {
            "train": [each for place, each in enumerate(files) if place not in val],
            "val": [each for place, each in enumerate(files) if place in val],
        }

    def _listed(self, files: Sequence[File]) -> dict[str, list[File]]:
        """By lists; one that is not given has the images that the other does not name."""
        known: dict[str, File | None] = {}
        for each in files:
            path = Path(each.name)
            for name in {each.name, str(path.with_suffix("")), path.name, path.stem}:
                known[name] = None if name in known else each
        given = {"train": self.train_list, "val": self.val_list}
        parts = {
            part: [_known(known, name, where) for name, where in read_names(path)]
            for part, path in given.items()
            if path is not None
        }
        if self.train_list is None:
            taken = {each.name for each in parts["val"]}
            parts["train"] = [each for each in files if each.name not in taken]
        return parts


def read_names(path: Path) -> list[tuple[str, str]]:
    """The names of a list of images, a line each, and where they are in messages.

    The 1, 0 or -1 after each name in VOC's lists of a class is not looked at.

    Raises:
        DataError: for a list that cannot be read, or names an image twice.
    """
    lines: dict[str, int] = {}
    for number, line in numbered_lines(path, "image"):
        name = re.sub(r"\s+(-1|0|1)$", "", line)
        if name in lines:
            raise DataError(f"{path}:{number}: '{name}' is on line {lines[name]} already")
        lines[name] = number
    return [(name, f"{path}:{number}") for name, number in lines.items()]


def image_files(folder: Path) -> list[Path]:
    """The image files in a folder and below, in alphabetical order."""
    return sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file()
    )


def by_stem(paths: Iterable[Path]) -> dict[str, Path]:
    """The files by their names without ending.

    Raises:
        DataError: when two files have the same.
    """
    found: dict[str, Path] = {}
    for path in paths:
        if path.stem in found:
            raise DataError(
                f"{path}: has the name of {found[path.stem]}; it must differ before the ending"
            )
        found[path.stem] = path
    return found


def stem_of(name: str) -> str:
    """The name of an image without its ending, where it has one."""
    path = Path(name)
    return path.stem if path.suffix.lower() in ENDINGS else path.name


def read_file(path: Path) -> bytes:
    """A file of annotations.

    Raises:
        DataError: when it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def _all_of(found: Divisible[File]) -> Sequence[File]:
    if found.parts is None:
        return found.files
    return [each for part in found.parts.values() for each in part]


def _known(known: Mapping[str, File | None], name: str, where: str) -> File:
    if name not in known:
        raise DataError(f"{where}: there is no image '{name}' with annotations")
    found = known[name]
    if found is None:
        raise DataError(f"{where}: there are several images '{name}'; give the folder, too")
    return found


def _check_names(parts: Mapping[str, Sequence[Listed]]) -> None:
    """No image twice."""
    seen: dict[str, str] = {}
    for part, files in parts.items():
        for each in files:
            if each.name in seen:
                where = part if seen[each.name] == part else f"{seen[each.name]} and {part}"
                raise DataError(f"{each.where}: is there twice, in {where}")
            seen[each.name] = part

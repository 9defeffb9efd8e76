"""A folder of class folders to databases for training and validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from protonet.data.convert import convert_images
from protonet.data.create import Progress, write_mean
from protonet.data.image_list import ImageList
from protonet.data.record_format import RecordFormat
from protonet.errors import DataError, UsageError
from protonet.formats.atomic import write_atomic
from protonet.ranks.pool import IN_TURN, Pool

ENDINGS = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
"""Files of folders that are images."""


@dataclass(frozen=True)
class ClassFolders:
    """The image files of each class, by the name of its folder, relative to ``root``."""

    root: Path
    classes: dict[str, tuple[str, ...]]

    @staticmethod
    def read(root: Path) -> ClassFolders:
        """Scan the folders below ``root``; each is a class, in alphabetical order.

        Raises:
            UsageError: for a folder without class folders that hold images.
        """
        if not root.is_dir():
            raise UsageError(f"{root}: there is no such folder")
        classes: dict[str, tuple[str, ...]] = {}
        for folder in sorted(path for path in root.iterdir() if path.is_dir()):
            files = sorted(
                str(path.relative_to(root))
                for path in folder.rglob("*")
                if path.suffix.lower() in ENDINGS and path.is_file()
            )
            if files:
                classes[folder.name] = tuple(files)
        if not classes:
            raise UsageError(
                f"{root}: expected a folder for each class with its images in it; "
                "there is no such folder"
            )
        return ClassFolders(root, classes)

    def split(self, val_share: float, seed: int) -> dict[str, list[tuple[str, int]]]:
        """(file, class number) of the parts ``train`` and ``val``, each shuffled.

        The split is stratified: each class gives ``val_share`` of its images to validation.

        Raises:
            UsageError: when a class is left without images to train on.
        """
        random = np.random.default_rng(seed)
        parts: dict[str, list[tuple[str, int]]] = {"train": [], "val": []}
        for number, (name, files) in enumerate(self.classes.items()):
            held = round(len(files) * val_share)
            if held == len(files):
                raise UsageError(
                    f"{self.root / name}: a validation share of {val_share:g} leaves none of its "
                    f"{len(files)} image(s) to train on"
                )
            order = random.permutation(len(files))
            for place, index in enumerate(order):
                part = "val" if place < held else "train"
                parts[part].append((files[index], number))
        return {
            part: [rows[index] for index in random.permutation(len(rows))]
            for part, rows in parts.items()
            if rows
        }


def convert_folders(
    root: Path,
    folder: Path,
    form: RecordFormat,
    *,
    val_share: float = 0.25,
    seed: int = 0,
    progress: Progress | None = None,
    pool: Pool = IN_TURN,
) -> dict[str, int]:
    """Make train_images, val_images (with the classes as labels), their means, labels.txt and the
    lists train.txt and val.txt in ``folder``. Returns the images of each part.

    An interrupted conversion resumes when it is called again with the same arguments.

    Raises:
        UsageError: for folders that do not suit, or a ``folder`` with something else in it.
        DataError: for an image that cannot be used; names it.
    """
    found = ClassFolders.read(root)
    parts = found.split(val_share, seed)
    lists = {part: _lines(rows) for part, rows in parts.items()}
    if folder.exists() and (folder / "labels.txt").exists():
        raise UsageError(f"{folder}: exists already; choose another place")
    _begin(folder, lists)
    total, before = sum(map(len, parts.values())), 0
    for part, rows in parts.items():
        images = ImageList(folder / f"{part}.txt", root=f"{root.resolve()}/")
        database = folder / f"{part}_images"
        if not database.exists():
            watch = None if progress is None else _of_part(progress, before, total)
            convert_images(images, database, form, check_size=True, progress=watch, pool=pool)
        if not (folder / f"{part}_mean.png").exists():
            write_mean(folder, part, progress, pool)
        before += len(rows)
    # Written last: it marks the output as complete.
    write_atomic(folder / "labels.txt", "".join(f"{name}\n" for name in found.classes).encode())
    return {part: len(rows) for part, rows in parts.items()}


def _lines(rows: Sequence[tuple[str, int]]) -> bytes:
    return "".join(f"{name} {label}\n" for name, label in rows).encode()


def _of_part(progress: Progress, before: int, total: int) -> Progress:
    """Progress of a part that begins after ``before`` images."""
    return lambda done, _: progress(before + done, total)


def _begin(folder: Path, lists: dict[str, bytes]) -> None:
    """Write the lists; those of an interrupted conversion must be the same."""
    if folder.exists() and any(folder.iterdir()):
        same = all((folder / f"{part}.txt").is_file() for part in lists) and all(
            (folder / f"{part}.txt").read_bytes() == text for part, text in lists.items()
        )
        if not same:
            raise UsageError(f"{folder}: is not empty, and not the beginning of this conversion")
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be made: {error.strerror}") from error
    for part, text in lists.items():
        write_atomic(folder / f"{part}.txt", text)

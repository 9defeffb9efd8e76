"""Lists of images with classes, for training and validation, to the databases of a data set."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from protonet.data.allowed import AllowedFolders
from protonet.data.convert import convert_images
from protonet.data.create import Progress, write_mean
from protonet.data.file_list import numbered_lines
from protonet.data.image_list import ImageList
from protonet.data.record_format import ListedFile, RecordFormat
from protonet.data.resumable import ResumableOutput, Settings, refuse_existing, resumable_output
from protonet.data.set_file import write_file
from protonet.errors import DataError
from protonet.ranks.pool import IN_TURN, Pool

CLASS_NAMES = "labels.txt"
"""The file of a data set with the name of each class, a line each."""


class RootedList(ImageList):
    """A list whose relative paths are below ``root``, a folder.

    All images must be ``within`` the allowed folders.
    """

    within = AllowedFolders(())

    def read_lines(self, source: Path) -> list[tuple[int, str, int]]:
        """Line number, path and label of each line."""
        root = Path(self.root)
        lines = super().read_lines(source)
        return [
            (number, str(root / name.removeprefix(self.root)), label)
            for number, name, label in lines
        ]

    def file(self, key: int) -> ListedFile:
        """The file of an image, to be read on any rank.

        Raises:
            DataError: when it is not ``within`` the folders.
        """
        self.within.check(Path(self._lines[key][1]), self.where(key))
        return super().file(key)


@dataclass(frozen=True)
class ListedSet:
    """Lists of lines ``path class``, as convert_imageset reads them.

    ``root`` is the folder of relative paths, ``names`` a file with the name of each class.
    """

    train: Path
    val: Path | None = None
    root: Path = Path()
    names: Path | None = None
    within: tuple[Path, ...] = ()

    def read(self) -> dict[str, RootedList]:
        """The lists of the parts ``train`` and ``val``.

        Raises:
            DataError: for a list that cannot be read, or a class that is negative or has no name.
        """
        count = None if self.names is None else len(read_names(self.names))
        parts = {}
        for part, path in (("train", self.train), ("val", self.val)):
            if path is not None:
                parts[part] = RootedList(path, root=f"{self.root.resolve()}/")
                parts[part].within = AllowedFolders(self.within)
                _check_classes(parts[part], count, self.names)
        return parts


def read_names(path: Path) -> list[str]:
    """The class names of a file, a line each.

    Raises:
        DataError: for a file that cannot be read, or has no name.
    """
    return [name for _, name in numbered_lines(path, "class")]


def convert_lists(
    given: ListedSet,
    folder: Path,
    form: RecordFormat,
    *,
    shuffle: bool = False,
    seed: int = 0,
    restart: bool = False,
    progress: Progress | None = None,
    pool: Pool = IN_TURN,
) -> dict[str, int]:
    """Make train_images and, with a list for validation, val_images in a new ``folder``, with the
    mean of each and labels.txt. Returns the images of each part.

    An interrupted conversion resumes as in ``data.convert.convert_vectors``.

    Raises:
        UsageError: when the folder exists, or was started with other settings.
        DataError: for lists or images that cannot be used; names list and line.
    """
    refuse_existing(folder)
    parts = given.read()
    drawn = {"shuffle": shuffle, "seed": seed if shuffle else None}
    settings = Settings({**form.values(), **drawn, **_identity(given, parts)})
    total, before = sum(map(len, parts.values())), 0
    with resumable_output(folder, settings, restart=restart) as work:
        for part, images in parts.items():
            database = work.folder / f"{part}_images"
            if not database.exists():
                convert_images(
                    images, database, form, shuffle=shuffle, seed=seed, check_size=True,
                    progress=_of_part(work, before, total, progress), pool=pool,
                )  # fmt: skip
            before += len(images)
            if not (work.folder / f"{part}_mean.png").exists():
                write_mean(work.folder, part, progress, pool)
        if given.names is not None:
            names = read_names(given.names)
            write_file(work.folder / CLASS_NAMES, "".join(f"{n}\n" for n in names).encode())
    return {part: len(images) for part, images in parts.items()}


def _identity(given: ListedSet, parts: Mapping[str, RootedList]) -> dict[str, str]:
    """What tells whether an output was begun with the same lists."""
    found = {"root": str(given.root.resolve())}
    for part, images in parts.items():
        found[f"list of {part}"] = hashlib.sha256(images.path.read_bytes()).hexdigest()
    return found


def _of_part(work: ResumableOutput, before: int, total: int, progress: Progress | None) -> Progress:
    """Progress of a part that begins after ``before`` images."""

    def watch(done: int, _: int) -> None:
        work.done = before + done
        if progress is not None:
            progress(before + done, total)

    return watch


def _check_classes(images: RootedList, count: int | None, names: Path | None) -> None:
    for key in range(len(images)):
        label = images.label(key)
        if label < 0:
            raise DataError(f"{images.where(key)}: the class is {label}; classes count from 0")
        if count is not None and label >= count:
            raise DataError(
                f"{images.where(key)}: the class is {label}, but {names} names {count} class(es), "
                f"0 to {count - 1}"
            )

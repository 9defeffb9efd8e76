"""Image files and their true classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from protonet.data.file_list import numbered_lines
from protonet.errors import DataError, UsageError

ENDINGS = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
"""Endings of image files in folders."""
LISTS = frozenset({".list", ".lst", ".txt"})
"""Endings of image lists."""


@dataclass(frozen=True)
class Item:
    """An image file and its true class, None if unknown."""

    path: Path
    truth: int | None = None


@dataclass
class Items:
    """The images to classify. ``classes`` are the names of all classes, if known or given by the
    folders; ``notes`` say how folders were interpreted.
    """

    classes: list[str] | None
    items: list[Item] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_items(
    named: Iterable[Path],
    classes: Sequence[str] | None,
    count: int,
    ending: str = "",
    root: Path | None = None,
) -> Items:
    """The images of files, folders, and lists (.txt) with a file per line.

    A line may end in the number or the name of a class. Folders are searched recursively;
    subfolders with the names of classes give the true classes. If no class names are known and
    there are as many subfolders as classes, these are the classes, in alphabetical order.

    Args:
        named: what the user gave.
        classes: the names of the classes.
        count: how many classes the net has.
        ending: of the files in folders; "" for all image formats.
        root: where files of lists are looked up, after the working directory; by default the
        folder of the list.

    Raises:
        UsageError: for a folder without an image.
        DataError: for a list that cannot be read, is empty, or names an unknown class.
    """
    found = Items(None if classes is None else list(classes))
    for path in named:
        if path.is_dir():
            _take_folder(found, path, count, f".{ending.lower().lstrip('.')}" if ending else "")
        elif path.suffix.lower() in LISTS:
            found.items += _read_list(path, found.classes, count, root)
        else:
            found.items.append(Item(path))
    return found


def _take_folder(found: Items, folder: Path, count: int, ending: str) -> None:
    endings = {ending} if ending else ENDINGS
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in endings)
    files = [path for path in files if path.is_file()]
    if not files:
        kind = ending or "image"
        raise UsageError(f"{folder}: has no {kind} file in it")
    above = [path.relative_to(folder).parts for path in files]
    folders = sorted({parts[0] for parts in above if len(parts) > 1})
    if found.classes is None and len(folders) == count:
        found.classes = folders
        found.notes.append(f"{folder}: its {count} folders are taken for the classes")
    places = {name: class_of(name, found.classes) for name in folders}
    unknown = [name for name, place in places.items() if place is None]
    if folders and len(unknown) < len(folders):
        for name in unknown:
            found.notes.append(f"{folder / name}: no class is named so; its images are not counted")
    for path, parts in zip(files, above, strict=True):
        found.items.append(Item(path, places.get(parts[0]) if len(parts) > 1 else None))


def class_of(name: str, classes: Sequence[str] | None) -> int | None:
    """The class with this name, or with this first word (n02123045 of "n02123045 tabby, cat")."""
    if classes is None:
        return None
    if name in classes:
        return list(classes).index(name)
    first = [each.split(maxsplit=1)[0] if each.split() else "" for each in classes]
    return first.index(name) if first.count(name) == 1 else None


def _read_list(
    path: Path, classes: Sequence[str] | None, count: int, root: Path | None
) -> Iterator[Item]:
    base = path.parent if root is None else root
    for number, line in numbered_lines(path, "image"):
        name, _, label = line.rpartition(" ")
        truth = int(label) if label.isdecimal() else class_of(label, classes)
        if truth is None or not name:
            name, truth = line, None
        elif truth >= count:
            raise DataError(f"{path}:{number}: class {truth}, but the net has classes 0 to "
                            f"{count - 1}")  # fmt: skip
        file = Path(name.strip())
        yield Item(file if file.exists() else base / file, truth)

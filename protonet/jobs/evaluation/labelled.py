"""Image files and the classes that they truly are of; how many a net gets right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from protonet.data.lists import numbered_lines
from protonet.errors import DataError, UsageError
from protonet.formats.pictures import new_figure, picture_kind, write_picture

ENDINGS = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
"""Files of folders that are images."""
LISTS = frozenset({".list", ".lst", ".txt"})
"""Files that name images."""

_PICTURES = ("png", "svg", "pdf")
_WRITTEN = 20
"""Classes of a picture up to which every number is written."""


@dataclass(frozen=True)
class Item:
    """An image file and its true class, None where it is not known."""

    path: Path
    truth: int | None = None


@dataclass
class Items:
    """What is to be classified. ``classes`` are names of all classes, where they are known or the
    folders tell; ``notes`` say what was made of the folders.
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
    """The images that are named: files, folders, and texts (.txt) with a file a line.

    A line may end in the number or the name of a class. A folder is searched with all that is in
    it; where it has folders that are named as classes are, these are the true classes. Where no
    names are known and there are as many folders as classes, these in alphabetical order are.

    Args:
        named: what the user gave.
        classes: the names of the classes.
        count: how many classes the net has.
        ending: of the files in folders; "" for all that images have.
        root: where the files of texts are looked up, after the working directory; by default
            beside the text.

    Raises:
        UsageError: for a folder without an image.
        DataError: for a text that cannot be read, names nothing, or names a class that is not.
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
    """The class of this name, whole or its first word (n02123045 of "n02123045 tabby, cat")."""
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


class Report:
    """How many images of known class were right.

    ``confusion`` counts images, (true class, class that the net says).
    """

    def __init__(self, count: int) -> None:
        self.confusion = np.zeros((count, count), np.int64)
        self._hits: dict[int, int] = {}

    @property
    def images(self) -> int:
        """The images that were counted."""
        return int(self.confusion.sum())

    def add(self, truth: int, ranked: Sequence[int]) -> None:
        """Count an image: its true class, and classes with the likeliest first."""
        self.confusion[truth, ranked[0]] += 1
        if truth in ranked:
            place = list(ranked).index(truth)
            self._hits[place] = self._hits.get(place, 0) + 1

    def right(self, among: int = 1) -> int:
        """The images whose class was among so many likeliest ones."""
        return sum(hits for place, hits in self._hits.items() if place < among)

    def mistakes(self, count: int) -> list[tuple[int, int, int]]:
        """The most frequent mistakes: true class, what the net says, how often."""
        wrong = self.confusion.copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:count]
        pairs = [divmod(int(place), len(wrong)) for place in order]
        return [(true, said, int(wrong[true, said])) for true, said in pairs if wrong[true, said]]

    def draw(self, path: Path, classes: Sequence[str]) -> None:
        """Draw the confusion matrix: rows are true classes, and each row's shares are its colours.

        Raises:
            UsageError: for another kind of file than .png, .svg, .pdf.
        """
        kind = picture_kind(path, _PICTURES)
        count = len(self.confusion)
        side = min(12.0, max(4.5, 1.8 + 0.4 * count))
        figure = new_figure(side + 1, side)
        axes = figure.add_subplot()
        totals = self.confusion.sum(axis=1, keepdims=True)
        shares = self.confusion / np.maximum(totals, 1)
        shown = axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
        figure.colorbar(shown, ax=axes, label="share of the true class", shrink=0.8)
        if count <= _WRITTEN:
            for (row, column), images in np.ndenumerate(self.confusion):
                color = "white" if shares[row, column] > 0.5 else "#333333"
                text = str(images) if images else ""
                axes.text(column, row, text, ha="center", va="center", color=color, fontsize=8)
        if count <= 4 * _WRITTEN:
            names = [name if len(name) <= 24 else f"{name[:22]}..." for name in classes]
            axes.set_xticks(range(count), names, rotation=90, fontsize=8)
            axes.set_yticks(range(count), names, fontsize=8)
        axes.set_xlabel("what the net says")
        axes.set_ylabel("true class")
        share = self.right() / max(1, self.images)
        axes.set_title(f"{share:.2%} of {self.images} images right", loc="left", fontsize="medium")
        write_picture(figure, path, kind)

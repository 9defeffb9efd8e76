"""Files that list images with boxes: what trainings of MS-CNN and Cascade R-CNN read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from protonet.data.datum import decode_image
from protonet.data.file_list import read_listed_file
from protonet.data.windows import Words
from protonet.errors import DataError

_HEAD = "# index path channels height width number"


class Scene(NamedTuple):
    """Boxes of an image: corners (n, 4) of objects and, (m, 4), of regions that do not count.

    ``kinds`` are the classes of objects; those that are ``ignored`` are no targets.
    """

    corners: np.ndarray
    kinds: np.ndarray
    ignored: np.ndarray
    difficult: np.ndarray
    regions: np.ndarray

    def moved(self, factors: tuple[float, float], shift: tuple[float, float]) -> Scene:
        """All corners times factors (across, down) plus a shift."""
        scale, offset = np.array(factors * 2), np.array(shift * 2)
        return self._replace(
            corners=self.corners * scale + offset, regions=self.regions * scale + offset
        )

    def mirrored(self, width: float) -> Scene:
        """As in the mirrored image."""
        sides = [2, 1, 0, 3]
        corners, regions = (
            np.where([True, False, True, False], width - each, each)[:, sides]
            for each in (self.corners, self.regions)
        )
        return self._replace(corners=corners, regions=regions)


class BoxedImage(NamedTuple):
    """An image of a list: its path, the line that it is on, and its boxes."""

    path: str
    line: int
    scene: Scene


@dataclass(frozen=True)
class BoxList:
    """The images of a list.

    Attributes:
        path: the list.
        images: in its order.
        root: prefix of every path, without a separator.
        folder: where relative paths are looked up after the working directory.
        tall: whether each image is at least as high as wide, by the list.
    """

    path: Path
    images: tuple[BoxedImage, ...]
    tall: np.ndarray
    root: str = ""
    folder: Path | None = None

    def where(self, place: int) -> str:
        """How messages name an image."""
        image = self.images[place]
        return f"{self.path}:{image.line}: {self.root}{image.path}"

    def read(self, place: int, data: bytes | None = None) -> np.ndarray:
        """The pixels of an image, (3, height, width), blue first; of its file's ``data``.

        Raises:
            DataError: for a file that cannot be read.
        """
        where = self.where(place)
        found = self.bytes(place) if data is None else data
        return decode_image(found, where, color=True, follows_exif=True)

    def bytes(self, place: int) -> bytes:
        """The file of an image."""
        path = Path(self.root + self.images[place].path)
        return read_listed_file(path, self.folder, self.where(place))

    def repeated(self, times: int) -> BoxList:
        """Each image with an object that is not ignored so many times in a row."""
        counts = [
            times if (~image.scene.ignored).any() else 1 for image in self.images
        ]  # fmt: skip
        places = np.repeat(np.arange(len(self.images)), counts)
        images = tuple(self.images[place] for place in places)
        return replace(self, images=images, tall=self.tall[places])


def read_boxes(
    path: Path, *, difficult: bool, root: str = "", folder: Path | None = None
) -> BoxList:
    """A list of images with boxes.

    For each image ``# index path channels height width number``; then ``number`` times
    ``class ignored x1 y1 x2 y2``, with ``difficult`` also ``difficult`` after ``ignored``; then
    the number of regions that do not count, and ``x1 y1 x2 y2`` of each; with any white space
    between.

    Raises:
        DataError: naming file and line of what cannot be read or has another form.
    """
    images: list[BoxedImage] = []
    tall: list[bool] = []
    try:
        with path.open() as file:
            words = Words(path, file)
            while words.more():
                image, high = _read_image(words, 7 if difficult else 6)
                images.append(image)
                tall.append(high)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not a list of boxes: it is not text ({error})") from None
    if not images:
        raise DataError(f"{path}: names no image")
    return BoxList(path, tuple(images), np.array(tall), root, folder)


def _read_image(words: Words, length: int) -> tuple[BoxedImage, bool]:
    mark, number, name = words.take(3, _HEAD)
    if mark != "#" or not number.isdecimal():
        raise DataError(
            f"{words.where()}: expected '# index' and the next image, got '{mark} {number}'; are "
            "the numbers of boxes before it right?"
        )
    line = words.lines[2]
    channels, height, width = _numbers(words, 3, "channels, height and width", whole=True)[0]
    if channels != 3:
        raise DataError(
            f"{words.where()}: expected 3 channels, got {channels:g}: images are read in colour"
        )
    what = "class ignored difficult x1 y1 x2 y2" if length == 7 else "class ignored x1 y1 x2 y2"
    rows = _read_rows(words, length, what)
    wrong = rows[:, 0] <= 0
    if wrong.any():
        raise DataError(
            f"{words.where(int(wrong.argmax()) * length)}: expected a class above 0, got "
            f"{rows[wrong][0, 0]:g}"
        )
    regions = _read_rows(words, 4, "x1 y1 x2 y2")
    marks = rows[:, 2] if length == 7 else np.zeros(len(rows))
    scene = Scene(rows[:, -4:], rows[:, 0], rows[:, 1] != 0, marks != 0, regions)
    return BoxedImage(name, line, scene), bool(height >= width)


def _read_rows(words: Words, length: int, what: str) -> np.ndarray:
    """A number, and so many rows."""
    count = int(_numbers(words, 1, f"the number of rows of {what}", whole=True)[0, 0])
    if not count:
        return np.empty((0, length))
    rows = _numbers(words, length, what, count)
    odd = (rows[:, -2:] < rows[:, -4:-2]).any(axis=1)
    if odd.any():
        first = int(odd.argmax())
        raise DataError(
            f"{words.where(first * length)}: expected {what} with x1 <= x2 and y1 <= y2, got "
            f"{' '.join(f'{value:g}' for value in rows[first])}"
        )
    return rows


def _numbers(
    words: Words, length: int, what: str, count: int = 1, *, whole: bool = False
) -> np.ndarray:
    """Numbers in rows, (count, length)."""
    taken = words.take(length * count, what)
    found = np.empty(len(taken))
    for place, word in enumerate(taken):
        try:
            found[place] = int(word) if whole else float(word)
            fits = bool(np.isfinite(found[place])) and (found[place] >= 0 or not whole)
        except (ValueError, OverflowError):
            fits = False
        if not fits:
            raise DataError(f"{words.where(place)}: expected {what}, got '{word[:60]}'")
    return found.reshape(count, length)

"""Files that list windows of images: what WindowData layers read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from protonet.errors import DataError

_FIELDS = 6
"""Numbers of a window: class, overlap, x1, y1, x2, y2."""


@dataclass(frozen=True)
class WindowList:
    """The contents of a window file: image paths, and the windows of objects and of background.

    ``foreground`` and ``background`` have a row for each window: image, class, x1, y1, x2, y2 and
    the line that it is on. The class of a background window is 0.
    """

    path: Path
    images: list[str]
    foreground: np.ndarray
    background: np.ndarray


def read_windows(path: Path, fg_threshold: float, bg_threshold: float) -> WindowList:
    """A window file of R-CNN.

    For every image ``# index path channels height width number`` and then, ``number`` times,
    ``class overlap x1 y1 x2 y2``, with any white space between. A window whose overlap is at
    least ``fg_threshold`` shows an object; one below ``bg_threshold`` shows background.

    Raises:
        DataError: naming file and line of what cannot be read or has another form.
    """
    images: list[str] = []
    kinds: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    try:
        with path.open() as file:
            words = Words(path, file)
            while words.more():
                images.append(_read_head(words, len(images)))
                windows, overlaps = _read_windows(words, len(images) - 1)
                # As Caffe compares: in float32.
                is_object = overlaps >= np.float32(fg_threshold)
                _check_objects(path, windows[is_object])
                kinds[0].append(windows[is_object])
                kinds[1].append(windows[~is_object & (overlaps < np.float32(bg_threshold))])
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not a window file: it is not text ({error})") from None
    if not images:
        raise DataError(f"{path}: names no image")
    foreground, background = (np.concatenate(kind) for kind in kinds)
    background[:, 1] = 0
    return WindowList(path, images, foreground, background)


class Words:
    """The words of a text; ``lines`` has the line of each that was taken last."""

    def __init__(self, path: Path, text: Iterable[str]) -> None:
        self.path = path
        self.lines: list[int] = []
        self._text = enumerate(text, 1)
        self._words: list[str] = []
        self._numbers: list[int] = []
        self._last = 1

    def more(self) -> bool:
        """Whether there is another word."""
        return self._gather(1)

    def take(self, count: int, what: str) -> list[str]:
        """The next words; ``what`` they are is said where the text ends before."""
        if not self._gather(count):
            raise DataError(f"{self.path}:{self._last}: the file ends, but expected {what}")
        words, self._words = self._words[:count], self._words[count:]
        self.lines, self._numbers = self._numbers[:count], self._numbers[count:]
        return words

    def where(self, place: int = 0) -> str:
        """How messages name the place of a word of those that were taken last."""
        return f"{self.path}:{self.lines[place]}"

    def _gather(self, count: int) -> bool:
        while len(self._words) < count:
            number, line = next(self._text, (0, None))
            if line is None:
                return False
            found = line.split()
            self._words += found
            self._numbers += [number] * len(found)
            self._last = number
        return True


def _read_head(words: Words, index: int) -> str:
    """The path of the next image."""
    mark, number, name, channels = words.take(4, "# index path channels height width number")
    if mark != "#" or number != str(index):
        raise DataError(
            f"{words.where()}: expected '# {index}' and the next image, got '{mark} {number}'; is "
            "the number of windows before it right?"
        )
    if channels != "3":
        raise DataError(
            f"{words.where(3)}: expected 3 channels, got '{channels}': images are read in colour"
        )
    return name


def _read_windows(words: Words, image: int) -> tuple[np.ndarray, np.ndarray]:
    """The windows of an image, as in WindowList, and their overlaps."""
    sizes = words.take(3, "height, width and the number of windows")
    for place, word in enumerate(sizes):
        if not word.isdecimal():
            raise DataError(
                f"{words.where(place)}: expected a whole number as "
                f"{('height', 'width', 'the number of windows')[place]}, got '{word}'"
            )
    count = int(sizes[2])
    windows = np.empty((count, _FIELDS + 1), np.int32)
    if not count:
        return windows, np.empty(0, np.float32)
    taken = words.take(count * _FIELDS, f"{count} windows: class overlap x1 y1 x2 y2")
    try:
        numbers = np.array(list(map(float, taken))).reshape(count, _FIELDS)
    except ValueError:
        place = next(place for place, word in enumerate(taken) if not _is_number(word))
        raise DataError(
            f"{words.where(place)}: expected class overlap x1 y1 x2 y2, got '{taken[place]}'"
        ) from None
    wholes = np.delete(numbers, 1, axis=1)
    odd = ~np.isfinite(numbers).all(1) | (wholes != np.rint(wholes)).any(1)
    odd |= (np.abs(wholes) >= 2**31).any(1)
    if odd.any():
        first = int(odd.argmax())
        got = " ".join(taken[first * _FIELDS : (first + 1) * _FIELDS])
        raise DataError(
            f"{words.where(first * _FIELDS)}: expected class overlap x1 y1 x2 y2, whole numbers "
            f"but for the overlap, got '{got}'"
        )
    windows[:, 0] = image
    windows[:, 1:-1] = wholes
    windows[:, -1] = words.lines[::_FIELDS]
    empty = (windows[:, 4] < windows[:, 2]) | (windows[:, 5] < windows[:, 3])
    if empty.any():
        x1, y1, x2, y2, line = windows[int(empty.argmax()), 2:].tolist()
        raise DataError(f"{words.path}:{line}: the window {x1} {y1} {x2} {y2} is empty")
    return windows, numbers[:, 1].astype(np.float32)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _check_objects(path: Path, windows: np.ndarray) -> None:
    wrong = windows[windows[:, 1] <= 0]
    if len(wrong):
        raise DataError(
            f"{path}:{wrong[0, -1]}: a window of class {wrong[0, 1]} reaches fg_threshold, but "
            "objects have classes from 1 on"
        )

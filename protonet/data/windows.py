"""Windows of images: parts that are, or are not, of an object (R-CNN's window files)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from protonet.data.datum import decode_image
from protonet.data.resize import resize
from protonet.errors import DataError


class Window(NamedTuple):
    """A part of image ``image``; its edges are pixels that belong to it. Class 0 is background."""

    image: int
    label: int
    overlap: float
    x1: int
    y1: int
    x2: int
    y2: int


@dataclass(frozen=True)
class WindowFile:
    """What a window file lists: image files, their channels, and windows in them.

    Each image is ``# index``, its file, channels, height, width, the number of windows, and for
    each window ``class overlap x1 y1 x2 y2``, all parted by white space.
    """

    path: Path
    files: tuple[str, ...]
    channels: int
    windows: tuple[Window, ...]


def read_windows(path: Path) -> WindowFile:
    """Read a window file.

    Raises:
        DataError: when it cannot be read, is cut short, or holds something else.
    """
    try:
        words = iter(path.read_text(encoding="utf-8").split())
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as a window file: {error}") from error
    files: list[str] = []
    channels: list[int] = []
    windows: list[Window] = []
    try:
        for word in words:
            if word != "#" or int(next(words)) != len(files):
                raise ValueError(f"expected '# {len(files)}'")
            files.append(next(words))
            channels.append(int(next(words)))
            _height, _width, count = [int(next(words)) for _ in range(3)]
            windows += [_window(len(files) - 1, words) for _ in range(count)]
    except (ValueError, StopIteration) as error:
        what = "is cut short" if isinstance(error, StopIteration) else str(error)
        raise DataError(f"{path}: is no window file: at image {len(files) - 1}: {what}") from None
    if not windows:
        raise DataError(f"{path}: names no window")
    if len(set(channels)) > 1:
        raise DataError(f"{path}: expected one number of channels, got {sorted(set(channels))}")
    return WindowFile(path, tuple(files), channels[0], tuple(windows))


def _window(image: int, words: Iterator[str]) -> Window:
    label, overlap = int(next(words)), float(next(words))
    x1, y1, x2, y2 = [int(next(words)) for _ in range(4)]
    return Window(image, label, overlap, x1, y1, x2, y2)


class WindowImages:
    """The images of a window file, decoded; kept where ``keep`` says so."""

    def __init__(self, file: WindowFile, *, root: str = "", keep: bool = False) -> None:
        self._file, self._root, self._keep = file, root, keep
        self._kept: dict[int, np.ndarray] = {}

    def read(self, image: int) -> np.ndarray:
        """An image: (channels, height, width), uint8, colour as BGR.

        Raises:
            DataError: naming the window file and the image that cannot be read.
        """
        if image in self._kept:
            return self._kept[image]
        name = self._root + self._file.files[image]
        path = Path(name)
        if not path.exists() and (self._file.path.parent / name).exists():
            path = self._file.path.parent / name
        where = f"{self._file.path}: image {image}: {name}"
        try:
            data = path.read_bytes()
        except OSError as error:
            raise DataError(f"{where}: cannot be read: {error.strerror}") from error
        found = decode_image(data, where, color=self._file.channels == 3)
        if self._keep:
            self._kept[image] = found
        return found


def cut(
    image: np.ndarray, window: Window, size: int, *, pad: int, square: bool, mirror: bool
) -> tuple[np.ndarray, int, int]:
    """A window of an image, resized for a square input of ``size``, and where it lies there.

    With ``pad``, so many pixels of the input show what is around the window; with ``square`` the
    window is widened to a square first. What would lie outside of the image is left out, so the
    part may be smaller than the input: returns it as (channels, height, width) with the row and
    column of its first pixel. Source: Caffe's window_data_layer.cpp.
    """
    _, height, width = image.shape
    x1, y1, x2, y2 = window.x1, window.y1, window.x2, window.y2
    top = left = right = 0
    high = wide = size
    if pad or square:
        scale = size / (size - 2.0 * pad)
        half_y, half_x = (y2 - y1 + 1) / 2.0, (x2 - x1 + 1) / 2.0
        middle_y, middle_x = y1 + half_y, x1 + half_x
        if square:
            half_y = half_x = max(half_y, half_x)
        x1, x2 = _round(middle_x - half_x * scale), _round(middle_x + half_x * scale)
        y1, y2 = _round(middle_y - half_y * scale), _round(middle_y + half_y * scale)
        scale_y, scale_x = size / (y2 - y1 + 1), size / (x2 - x1 + 1)
        left, right = max(0, -x1), max(0, x2 - width + 1)
        top, bottom = max(0, -y1), max(0, y2 - height + 1)
        x1, x2, y1, y2 = x1 + left, x2 - right, y1 + top, y2 - bottom
        high, wide = _round((y2 - y1 + 1) * scale_y), _round((x2 - x1 + 1) * scale_x)
        top, left, right = _round(top * scale_y), _round(left * scale_x), _round(right * scale_x)
        left = right if mirror else left
        high, wide = min(high, size - top), min(wide, size - left)
    part = image[:, y1 : y2 + 1, x1 : x2 + 1]
    resized = resize(part, max(1, high), max(1, wide))
    return resized[:, :, ::-1] if mirror else resized, top, left


def _round(value: float) -> int:
    """To the nearest whole number, halves away from 0, as C rounds."""
    return int(np.copysign(np.floor(abs(value) + 0.5), value))

"""Lists of image files: what ImageData layers read."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from protonet.data.datum import decode_image
from protonet.data.file_list import FileList, numbered_lines
from protonet.data.record_format import ListedFile
from protonet.data.resize import resize
from protonet.errors import DataError


class ImageList(FileList[tuple[int, str, int]]):
    """The images that a list names (``FileList``).

    Every line is ``path label``, split at its last space; blank lines are skipped.
    """

    advice = "resize the files, or set new_height and new_width, or crop_size"

    def read_lines(self, source: Path) -> list[tuple[int, str, int]]:
        """Line number, path and label of each line."""
        return [(number, self.root + name, label) for number, name, label in _read(source)]

    def image(self, key: int, *, color: bool | None = None) -> tuple[np.ndarray, int]:
        """The image, uint8 (1 or 3, height, width), resized, and its label.

        Raises:
            DataError: naming the list's line and the file that cannot be read or decoded.
        """
        image = decode_image(self.data(key), self.where(key), color=color, follows_exif=True)
        return (image if self._size is None else resize(image, *self._size)), self.label(key)

    def data(self, key: int) -> bytes:
        """The file of an image as it is.

        Raises:
            DataError: when it cannot be read.
        """
        return self.file(key).read()

    def file(self, key: int) -> ListedFile:
        """The file of an image, to be read on any rank."""
        _, path, label = self._lines[key]
        folder = None if self._folder is None else str(self._folder)
        return ListedFile(path, self.name(key), self.where(key), label, folder)

    def label(self, key: int) -> int:
        """The class of an image."""
        return self._lines[key][2]

    def name(self, key: int) -> str:
        """The path of an image as the list has it, without the root."""
        return self._lines[key][1].removeprefix(self.root)

    def where(self, key: int) -> str:
        """How messages name an image: ``list:line: path``."""
        line, name, _ = self._lines[key]
        return f"{self.path}:{line}: {name}"


class PathList(ImageList):
    """The images of a list whose lines are paths alone; their labels are 0."""

    def read_lines(self, source: Path) -> list[tuple[int, str, int]]:
        """Line number, path and 0 of each line."""
        return [(number, self.root + line, 0) for number, line in numbered_lines(source, "image")]


def _read(source: Path) -> list[tuple[int, str, int]]:
    """Line number, path without the root, and label of each line."""
    lines = []
    for number, line in numbered_lines(source, "image"):
        name, _, label = line.rpartition(" ")
        if not name.strip():
            raise DataError(
                f"{source}:{number}: expected a path, a space and a label, got '{line}'"
            )
        lines.append((number, name.strip(), _label(label, f"{source}:{number}")))
    return lines


def _is_real(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _label(text: str, where: str) -> int:
    try:
        label = int(text)
    except ValueError:
        raise DataError(
            f"{where}: expected a whole number as the label after the last space, got '{text}'"
            + ("; numbers that are not whole are for convert-vectors" if _is_real(text) else "")
        ) from None
    if not -(2**31) <= label < 2**31:
        raise DataError(f"{where}: the label {text} is out of range: it must fit 32 bits")
    return label

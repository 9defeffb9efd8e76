"""Image files and their labels, as a text lists them: ``path label`` on each line."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from protonet.data.datum import decode_image
from protonet.data.resize import resize
from protonet.errors import DataError


class ImageList:
    """The images that a text file lists, each line a file and a whole number.

    The number is what follows the last space, so names may hold spaces. ``root`` is put before
    every name, as it is; names that are not found so are looked up beside the list. With
    ``height`` and ``width`` images are brought to that size, as OpenCV's bilinear rule does it.

    Raises:
        DataError: for a list that cannot be read, is empty, or has a line of another form.
    """

    advice = "give new_height and new_width, to which every image is brought"

    def __init__(self, source: Path, *, root: str = "", height: int = 0, width: int = 0) -> None:
        self.source = source
        self._root = root
        self._size = (height, width)
        try:
            lines = source.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{source}: cannot be read as a list of images: {error}") from error
        self._entries: list[tuple[int, str, int]] = []
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            name, _, label = line.rstrip().rpartition(" ")
            try:
                self._entries.append((number, name, int(label)))
            except ValueError:
                name = ""
            if not name:
                raise DataError(
                    f"{source}:{number}: expected a file, a space and a whole number, got "
                    f"'{line.strip()}'"
                )
        if not self._entries:
            raise DataError(f"{source}: the list is empty: it names no image")

    def __len__(self) -> int:
        return len(self._entries)

    def keys(self) -> range:
        """The place of each image in the list."""
        return range(len(self._entries))

    def read(self, key: int, *, color: bool | None = None) -> tuple[np.ndarray, int]:
        """An image, (channels, height, width), colour as BGR, and its label.

        Raises:
            DataError: naming the list, its line and the file that cannot be read.
        """
        _, name, label = self._entries[key]
        path = Path(self._root + name)
        if not path.exists() and (self.source.parent / path).exists():
            path = self.source.parent / path
        try:
            data = path.read_bytes()
        except OSError as error:
            raise DataError(f"{self.where(key)}: cannot be read: {error.strerror}") from error
        image = decode_image(data, self.where(key), color=color)
        height, width = self._size
        if height and image.shape[1:] != self._size:
            planes = resize(image.transpose(1, 2, 0).astype(np.float32), height, width)
            image = np.rint(planes).astype(np.uint8).transpose(2, 0, 1)
        return image, label

    def where(self, key: int) -> str:
        """How messages name an image: ``list:line: file``."""
        number, name, _ = self._entries[key]
        return f"{self.source}:{number}: {self._root}{name}"

    def close(self) -> None:
        """Nothing is open."""

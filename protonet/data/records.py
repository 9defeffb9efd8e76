"""The images of a database or a list, decoded, and kept where they fit into memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from protonet.data.transform import ImageShape
from protonet.errors import DataError


class ImageStore(Protocol):
    """Where images and their labels come from: a database, or a list of files."""

    advice: str
    """What helps where images differ in shape."""

    def __len__(self) -> int:
        """The number of images."""

    def keys(self) -> Sequence[Any]:
        """What names each image, in order."""

    def read(self, key: Any, *, color: bool | None = None) -> tuple[np.ndarray, int]:
        """An image, (channels, height, width), and its label."""

    def where(self, key: Any) -> str:
        """How messages name an image."""

    def close(self) -> None:
        """Let go of the files."""


class Records:
    """Decoded images and labels by their place in the order of the keys.

    Safe for several threads. An image is decoded at its first use; where all of them take at most
    ``limit`` bytes they are kept, and later uses cost nothing.

    Args:
        database: belongs to this object, which closes it.
        shape: what every image must have.
        color: force encoded images to colour (True) or gray (False).
        limit: bytes of decoded images to keep; None for all that there are.

    Raises:
        DataError: when the first record cannot be decoded.
    """

    def __init__(
        self,
        database: ImageStore,
        shape: ImageShape,
        *,
        color: bool | None = None,
        limit: int | None = 0,
    ) -> None:
        self.database = database
        self.shape = shape
        self._color = color
        self._keys = database.keys()
        self._kept: np.ndarray | None = None
        first, _ = self._decode(0)
        if limit is None or len(self) * math.prod(shape) * first.itemsize <= limit:
            # Not touched before they are written, so pages of memory are used as they are needed.
            self._kept = np.empty((len(self), *shape), first.dtype)
            self._labels = np.zeros(len(self), np.int64)
            self._known = np.zeros(len(self), bool)

    def __len__(self) -> int:
        return len(self._keys)

    def read(self, row: int) -> tuple[np.ndarray, int]:
        """The image, (channels, height, width), and the label of a record.

        Raises:
            DataError: naming the database and the key of a record that cannot be used.
        """
        if self._kept is None:
            return self._decode(row)
        if self._known[row]:
            return self._kept[row], int(self._labels[row])
        image, label = self._decode(row)
        if image.dtype == self._kept.dtype:
            self._kept[row] = image
            self._labels[row] = label
            # Last, so that no other thread takes a half-written image.
            self._known[row] = True
        return image, label

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()

    def _decode(self, row: int) -> tuple[np.ndarray, int]:
        key = self._keys[row]
        image, label = self.database.read(key, color=self._color)
        if image.shape != self.shape:
            found, expected = ("x".join(map(str, each)) for each in (image.shape, self.shape))
            raise DataError(
                f"{self.database.where(key)}: the record is {found}, but the first one is "
                f"{expected}; {self.database.advice}"
            )
        return image, label

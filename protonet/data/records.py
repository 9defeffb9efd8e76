"""The images of a database or a list, decoded, and cached where they fit into memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from protonet.data.transform import ImageShape
from protonet.errors import DataError


class Images(Protocol):
    """Where decoded images come from: a database or a list of files.

    ``keys`` gives what ``image`` and ``where`` take, in the order of the images. ``advice``
    says how to fix images of several sizes.
    """

    @property
    def advice(self) -> str:
        """What a message about another shape ends with."""

    def __len__(self) -> int: ...

    def keys(self) -> Sequence[Any]:
        """One key for each image."""

    def image(self, key: Any, *, color: bool | None = None) -> tuple[np.ndarray, int]:
        """The image, (channels, height, width), and its label."""

    def where(self, key: Any) -> str:
        """How messages name an image."""

    def close(self) -> None:
        """Close the files."""


class Records:
    """Decoded images and labels by their place in the order of the keys.

    Thread-safe. An image is decoded at its first use, and cached where all of them take at most
    ``limit`` bytes.

    Args:
        images: belong to this object, which closes them.
        shape: what every image must have.
        least: images may differ in height and width, but must have at least these; they are then
            not kept. None where all must have ``shape``.
        color: force encoded images to colour (True) or gray (False).
        limit: bytes of decoded images to keep; None for all that there are.

    Raises:
        DataError: when the first record cannot be decoded.
    """

    def __init__(
        self,
        images: Images,
        shape: ImageShape,
        *,
        least: tuple[int, int] | None = None,
        color: bool | None = None,
        limit: int | None = 0,
    ) -> None:
        self.images = images
        self.shape = shape
        self._least = least
        self._color = color
        self._keys = images.keys()
        self._kept: np.ndarray | None = None
        first, _ = self._decode(0)
        fits = limit is None or len(self) * math.prod(shape) * first.itemsize <= limit
        if fits and not least:
            # Not touched before they are written, so that pages are committed on demand.
            self._kept = np.empty((len(self), *shape), first.dtype)
            self._labels = np.zeros(len(self), np.int64)
            self._known = np.zeros(len(self), bool)

    def __len__(self) -> int:
        return len(self._keys)

    def where(self, row: int) -> str:
        """How messages name a record."""
        return self.images.where(self._keys[row])

    def read(self, row: int) -> tuple[np.ndarray, int]:
        """The image, (channels, height, width), and the label of a record.

        Raises:
            DataError: naming the record that cannot be used and where it lies.
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
        """Close the files."""
        self.images.close()

    def _decode(self, row: int) -> tuple[np.ndarray, int]:
        key = self._keys[row]
        image, label = self.images.image(key, color=self._color)
        if self._least:
            high, wide = self._least
            fits = image.shape[0] == self.shape[0]
            fits = fits and image.shape[1] >= high and image.shape[2] >= wide
            least = _text((self.shape[0], high, wide))
            expected = (
                f"the crop needs at least {least}"
                if max(self._least) > 1
                else f"the first one has {self.shape[0]} channel(s)"
            )
        else:
            fits = image.shape == self.shape
            expected = f"the first one is {_text(self.shape)}"
        if not fits:
            advice = self.images.advice
            counts = {image.shape[0], self.shape[0]}
            if self._color is None and counts == {1, 3} and image.dtype == np.uint8:
                advice = (
                    "some are gray and some in colour: force_color: true or force_gray: true in "
                    "transform_param makes encoded ones alike, else bring them to one kind when "
                    "the database is made"
                )
            raise DataError(
                f"{self.images.where(key)}: the image is {_text(image.shape)}, but {expected}; "
                f"{advice}"
            )
        return image, label


def _text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))

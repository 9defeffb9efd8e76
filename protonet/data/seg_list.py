"""Lists of images with labels of pixels, as DeepLab's forks read, scale and pad them."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from protonet.data.file_list import numbered_lines
from protonet.data.interpolation import Interpolation, resample
from protonet.data.pair_list import Pair, PairList, PairTransform
from protonet.data.transform import Transformer, crop_of
from protonet.errors import DataError
from protonet.proto.caffe_pb2 import ImageDataParameter, TransformationParameter

_FAR, _LARGEST = 2**20, 2**27
"""How far a window may leave its image, and how many pixels it may have."""


class SegList(PairList):
    """Images with label images (PIXEL), with a class for all pixels (IMAGE) or without (NONE).

    Args:
        source, settings: as of PairList; of NONE, a line may be one path alone.
        label_type: what the second word of a line is.
        ignore: the label of pixels that have none.

    Raises:
        DataError: as PairList; for a class that is no number of 0 to 255.
    """

    def __init__(self, source: Path, *, label_type: int, ignore: int, **settings: Any) -> None:
        self._type, self._ignore = label_type, ignore
        super().__init__(source, **settings)
        if label_type == ImageDataParameter.IMAGE:
            for number, _, word in self._lines:
                if not (word.isdecimal() and int(word) < 256):
                    raise DataError(
                        f"{source}:{number}: expected a class of 0 to 255 after the path, got "
                        f"'{word}'; label_type: PIXEL takes the path of a label image"
                    )

    def read_lines(self, source: Path) -> list[tuple[int, str, str]]:
        """Line number and the two words of each line; of NONE, the second may be missing."""
        if self._type != ImageDataParameter.NONE:
            return super().read_lines(source)
        lines = ((number, line.split()) for number, line in numbered_lines(source, "image"))
        return [(number, words[0], "") for number, words in lines]

    def labels_of(self, row: int, size: tuple[int, int]) -> np.ndarray:
        """The label image, or one label for all pixels."""
        if self._type == ImageDataParameter.PIXEL:
            return super().labels_of(row, size)
        given = self._type == ImageDataParameter.IMAGE
        label = int(self._lines[row][2]) if given else self._ignore
        return np.full((1, *size), label, np.uint8)


class WindowSegList(SegList):
    """Windows of images, each with the labels of its pixels.

    A line has, after the words that SegList reads, x1 y1 x2 y2; the last pixels are included.
    Where a window leaves its image, pixels are 0 and labels are ``ignore``.
    """

    def read_lines(self, source: Path) -> list[tuple[int, str, str]]:
        """Line number and the two words of each line; keeps the windows."""
        self._windows: list[tuple[int, int, int, int]] = []
        lines, count = [], 1 if self._type == ImageDataParameter.NONE else 2
        for number, line in numbered_lines(source, "window"):
            words = line.split()
            corners = [word for word in words[count:] if word.removeprefix("-").isdecimal()]
            if len(words) != count + 4 or len(corners) != 4:
                raise DataError(
                    f"{source}:{number}: expected {'a path' if count < 2 else 'two words'} and "
                    f"x1 y1 x2 y2, got '{line[:80]}'"
                )
            left, top, right, bottom = (max(-_FAR, min(_FAR, int(word))) for word in corners)
            if right < left or bottom < top:
                raise DataError(
                    f"{source}:{number}: expected x1 <= x2 and y1 <= y2, got {' '.join(corners)}"
                )
            self._windows.append((left, top, right, bottom))
            lines.append((number, words[0], words[1] if count > 1 else ""))
        return lines

    def read(self, row: int) -> Pair:
        """The window of a pair, resized."""
        image = self._image(row, 1, self._color)
        size = (image.shape[1], image.shape[2])
        labels, (left, top, right, bottom) = self.labels_of(row, size), self._windows[row]
        height, width = bottom - top + 1, right - left + 1
        if height * width > _LARGEST:
            raise DataError(f"{self.where(row, 1)}: a window of {height} x {width} is too large")
        there = slice(max(0, top), bottom + 1), slice(max(0, left), right + 1)
        here = slice(max(0, -top), size[0] - top), slice(max(0, -left), size[1] - left)
        cut = []
        for values, rest in ((image, 0), (labels, self._ignore)):
            whole = np.full((len(values), height, width), rest, np.uint8)
            part = values[:, *there]
            whole[:, *here][:, : part.shape[1], : part.shape[2]] = part
            cut.append(whole)
        if self._size is not None:
            cut[0] = resample(cut[0], *self._size, Interpolation.LINEAR)
            cut[1] = resample(cut[1], *self._size, Interpolation.NEAREST)
        return Pair(cut[0], cut[1], (cut[0].shape[1], cut[0].shape[2]))


class SegTransform(PairTransform):
    """Resizes a pair by a factor drawn for it, and pads it below and at the right to the crop.

    The image is padded with the mean and the labels with ``ignore``; then the pair is cropped and
    mirrored as any.
    """

    def __init__(
        self, param: TransformationParameter, phase: int, *, ignore: int, seed: int, name: str
    ) -> None:
        super().__init__(param, phase, seed=seed, name=name)
        self._ignore, self._factors = ignore, tuple(param.scale_factors)
        self._least = crop_of(param) or (0, 0)

    def of(self, shape: tuple[int, ...]) -> Transformer:
        """What images of this shape go through once they are padded."""
        rows, columns = self._least
        return super().of((shape[0], max(shape[1], rows), max(shape[2], columns)))

    def apply(self, pair: Pair, place: int) -> Pair:
        """Both as float32; ``place`` is the pair's index in the stream."""
        return super().apply(self._padded(self._scaled(pair, place)), place)

    def _scaled(self, pair: Pair, place: int) -> Pair:
        if not self._factors:
            return pair
        key = (self._seed % 2**64, zlib.crc32(self._name.encode()), place)
        factor = self._factors[int(np.random.default_rng(key).integers(len(self._factors)))]
        rows, columns = (max(1, int(extent * factor)) for extent in pair.image.shape[1:])
        return pair._replace(
            image=resample(pair.image, rows, columns, Interpolation.LINEAR),
            labels=resample(pair.labels, rows, columns, Interpolation.NEAREST),
        )

    def _padded(self, pair: Pair) -> Pair:
        channels, height, width = pair.image.shape
        rows, columns = max(height, self._least[0]), max(width, self._least[1])
        if (rows, columns) == (height, width):
            return pair
        mean = np.array(self._param.mean_value or [0], np.float32)
        image = np.empty((channels, rows, columns), np.float32)
        image[:] = mean[:, None, None]
        image[:, :height, :width] = pair.image
        labels = np.full((1, rows, columns), self._ignore, np.int32)
        labels[:, :height, :width] = pair.labels
        return pair._replace(image=image, labels=labels)

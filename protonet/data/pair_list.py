"""Lists of images with label images, for training segmentation."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Unpack

import numpy as np

from protonet.data.datum import decode_image
from protonet.data.file_list import FileList, FileListOptions, numbered_lines, read_listed_file
from protonet.data.index_sampler import IndexSampler
from protonet.data.interpolation import Interpolation, resample
from protonet.data.prefetch import InputTimes
from protonet.data.transform import Transformer
from protonet.errors import DataError
from protonet.proto.caffe_pb2 import TransformationParameter
from protonet.ranks.communicator import Part

_BATCHES = 2
"""Batches that are prefetched behind the one that is delivered next."""


class Pair(NamedTuple):
    """An image (channels, height, width) and its labels (1, height, width)."""

    image: np.ndarray
    labels: np.ndarray
    size: tuple[int, int]
    """Rows and columns of the file's image, at most as many as ``image`` has."""


class PairList(FileList[tuple[int, str, str]]):
    """The pairs that a list names (``FileList``): two paths a line, with white space between.

    Args:
        source, places: as of FileList; images are resized bilinear.
        labels: how label images are resized.
        shrink: how many times smaller than ``size`` label images become.
        color: images in colour (True) or gray; label images are gray.
    """

    def __init__(
        self,
        source: Path,
        *,
        labels: Interpolation = Interpolation.NEAREST,
        shrink: int = 1,
        color: bool = True,
        **places: Unpack[FileListOptions],
    ) -> None:
        super().__init__(source, **places)
        self._labels, self._shrink, self._color = labels, shrink, color

    def read_lines(self, source: Path) -> list[tuple[int, str, str]]:
        """Line number and the two words of each line."""
        return _read(source)

    def read(self, row: int) -> Pair:
        """A pair, resized.

        Raises:
            DataError: naming the list's line and the file, or both sizes where they differ.
        """
        image = self._image(row, 1, self._color)
        labels = self.labels_of(row, (image.shape[1], image.shape[2]))
        if self._size is not None:
            height, width = self._size
            image = resample(image, height, width, Interpolation.LINEAR)
            small = (height // self._shrink, width // self._shrink)
            labels = resample(labels, *small, self._labels)
        return Pair(image, labels, (image.shape[1], image.shape[2]))

    def labels_of(self, row: int, size: tuple[int, int]) -> np.ndarray:
        """The labels of an image of this size, before both are resized."""
        labels = self._image(row, 2, False)
        if labels.shape[1:] != size:
            sizes = [f"{rows}x{columns}" for rows, columns in (size, labels.shape[1:])]
            raise DataError(
                f"{self.where(row, 2)}: is {sizes[1]}, but its image is {sizes[0]}; a label "
                "image has a pixel for each of the image's"
            )
        return labels

    def where(self, row: int, which: int) -> str:
        """How messages name the image (1) or the label image (2): ``list:line: path``."""
        return f"{self.path}:{self._lines[row][0]}: {self.root}{self._lines[row][which]}"

    def _image(self, row: int, which: int, color: bool) -> np.ndarray:
        path = Path(self.root + str(self._lines[row][which]))
        where = self.where(row, which)
        data = read_listed_file(path, self._folder, where)
        return decode_image(data, where, color=color, follows_exif=True)


def _read(source: Path) -> list[tuple[int, str, str]]:
    """Line number and the two paths of each line."""
    lines = []
    for number, line in numbered_lines(source, "image"):
        words = line.split()
        if len(words) != 2:
            raise DataError(
                f"{source}:{number}: expected the paths of an image and of its label image, got "
                f"'{line}'"
            )
        lines.append((number, words[0], words[1]))
    return lines


class PairTransform:
    """Crops and mirrors an image and its labels alike; the mean and the scale are the image's."""

    def __init__(
        self,
        param: TransformationParameter,
        phase: int,
        mean: np.ndarray | None = None,
        *,
        seed: int = 0,
        name: str = "",
    ) -> None:
        self._param, self._phase, self._mean = param, phase, mean
        self._seed, self._name = seed, name

    def of(self, shape: tuple[int, ...]) -> Transformer:
        """What images of this shape go through."""
        channels, height, width = shape
        return Transformer(
            self._param,
            self._phase,
            (channels, height, width),
            self._mean,
            seed=self._seed,
            name=self._name,
        )

    def apply(self, pair: Pair, place: int) -> Pair:
        """Both as float32; ``place`` is the pair's index in the stream."""
        transformer = self.of(pair.image.shape)
        out = np.empty(transformer.output_shape, np.float32)
        draw = transformer.finish(pair.image, out, transformer.draws(place, 1)[0])
        rows = slice(draw.top, draw.top + out.shape[1])
        labels = pair.labels[:, rows, draw.left : draw.left + out.shape[2]]
        labels = labels[:, :, ::-1] if draw.mirror else labels
        size = (min(pair.size[0], out.shape[1]), min(pair.size[1], out.shape[2]))
        return Pair(out, np.ascontiguousarray(labels, np.float32), size)


class PairSource:
    """Prefetched batches of pairs, read and transformed.

    Args:
        pairs: where they come from.
        transform: what happens to them.
        encode: makes labels of the values of a label image.
        batch_size: pairs in a batch.
        shuffle, seed: the order.
        skip: pairs skipped once, at the start.
        threads: number of workers.
        part: of every batch, the pairs that are delivered; None for all.
    """

    def __init__(
        self,
        pairs: PairList,
        transform: PairTransform,
        encode: Callable[[np.ndarray], np.ndarray],
        batch_size: int,
        *,
        shuffle: bool = False,
        seed: int = 0,
        skip: int = 0,
        threads: int = 2,
        part: Part | None = None,
    ) -> None:
        self._part = part or Part(0, batch_size, batch_size)
        self.times = InputTimes()
        self._pairs, self._transform, self._encode = pairs, transform, encode
        self._index_sampler = IndexSampler(len(pairs), shuffle=shuffle, seed=seed)
        self._skip = skip
        self._pool = ThreadPoolExecutor(max(1, threads), thread_name_prefix="protonet-data")
        self._position = self._submitted = 0
        self._in_flight: deque[Future[Pair]] = deque()

    @property
    def position(self) -> int:
        """Pairs of the stream so far, those of other ranks included; setting it seeks."""
        return self._position

    @position.setter
    def position(self, value: int) -> None:
        for future in self._in_flight:
            future.cancel()
        self._in_flight.clear()
        self._position = self._submitted = value

    def take(self) -> list[Pair]:
        """The next batch.

        Raises:
            DataError: naming the pair that cannot be used.
        """
        part = self._part
        while len(self._in_flight) < (1 + _BATCHES) * part.count:
            for place in range(part.whole)[part.places]:
                self._in_flight.append(self._pool.submit(self._make, self._submitted + place))
            self._submitted += part.whole
        began = time.perf_counter()
        try:
            batch = [self._in_flight.popleft().result() for _ in range(part.count)]
        except BaseException:
            # The batch was not delivered, so seek back to it.
            self.position = self._position
            raise
        self.times.waited += time.perf_counter() - began
        self._position += part.whole
        return batch

    def close(self) -> None:
        """Stop the workers; idempotent."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._in_flight.clear()

    def _make(self, place: int) -> Pair:
        clock = time.perf_counter
        began = clock()
        (row,) = self._index_sampler.indices(place + self._skip, 1).tolist()
        pair = self._pairs.read(row)
        reading = clock() - began
        try:
            made = self._transform.apply(pair._replace(labels=self._encode(pair.labels)), place)
        except DataError as error:
            raise DataError(f"{self._pairs.where(row, 1)}: {error}") from error
        self.times.record(began, reading, clock() - began - reading, 1)
        return made

"""Batches of windows of objects and of background: what WindowData layers read."""

from __future__ import annotations

import threading
import zlib
from pathlib import Path

import numpy as np

from protonet.data.cropper import WindowCropper
from protonet.data.datum import decode_image
from protonet.data.file_list import read_listed_file
from protonet.data.prefetch import Batch, Empty, PrefetchedSource, Prefetcher
from protonet.data.windows import WindowList
from protonet.errors import DataError
from protonet.ranks.communicator import Part

_STREAM = 3
"""Word 3 of the counter: separates this stream from others of the same name and seed."""


class WindowSource(PrefetchedSource):
    """Batches of randomly sampled windows: first background, then objects.

    The samples are a function of the seed, the name and the index of the item in the stream,
    independent of threads and resumes.

    Args:
        windows: at least one of each kind that is drawn.
        batch_size: windows in a batch.
        objects: how many of the whole batch show objects.
        cropper: crops them.
        mirror: flip windows with probability 0.5.
        mean, scale: (x - mean) * scale; ``mean`` is (3, size, size) or (3, 1, 1).
        root: prefix of every path.
        folder: where relative paths are looked up after the working directory.
        cache: keep the files of the images in memory once read.
        seed, name: decide the random numbers; ``name`` is the layer's.
        part: of every batch, the windows that are delivered; ``batch_size`` is their number.
        threads: number of workers.
        empty: allocates the arrays of the batches.
    """

    def __init__(
        self,
        windows: WindowList,
        batch_size: int,
        objects: int,
        cropper: WindowCropper,
        *,
        mirror: bool = False,
        mean: np.ndarray | None = None,
        scale: float = 1.0,
        root: str = "",
        folder: Path | None = None,
        cache: bool = False,
        seed: int = 0,
        name: str = "",
        part: Part | None = None,
        threads: int = 2,
        empty: Empty = np.empty,
    ) -> None:
        self._windows = windows
        self._part = part or Part(0, batch_size, batch_size)
        self._background = self._part.whole - objects
        self._cropper = cropper
        self._mirror, self._mean, self._scale = mirror, mean, scale
        self._root, self._folder = root, folder
        self._cache: dict[int, bytes] | None = {} if cache else None
        self._key = np.array([seed % 2**64, zlib.crc32(name.encode())], np.uint64)
        self._lock = threading.Lock()
        shape = (3, cropper.size, cropper.size)
        super().__init__(
            Prefetcher(self._fill, batch_size, shape, threads, empty, None, lambda _: part)
        )

    def take(self) -> Batch:
        """The next batch, not to be written to, and the caller's until ``give_back``."""
        return self._prefetcher.take()

    def next(self, data: np.ndarray, labels: np.ndarray | None = None) -> None:
        """Write the next batch: windows to ``data``, (n, 3, size, size), classes to ``labels``.

        Raises:
            DataError: naming the line of a window that cannot be used, and its image.
        """
        self._prefetcher.next(data, labels)

    def _fill(self, part: Batch, first: int, start: int) -> None:
        """Draw and write the items from ``first`` of the stream on, from ``start`` of this part of
        a batch.
        """
        # One block of Philox (four words) belongs to each item.
        counter = np.array([first, 0, 0, _STREAM], np.uint64)
        own, step = self._part, self._part.step
        span = (len(part.labels) - 1) * step + 1
        words = np.random.Philox(key=self._key, counter=counter).random_raw(4 * span)
        for place, (word, side, *_) in enumerate(words.reshape(-1, 4)[::step].tolist()):
            is_object = own.first + (start + place) * step >= self._background
            kind = self._windows.foreground if is_object else self._windows.background
            window = kind[word % len(kind)].tolist()
            mirror = self._mirror and bool(side >> 63)
            part.labels[place] = window[1]
            self._cut(window, mirror, part.data[place])

    def _cut(self, window: list[int], mirror: bool, out: np.ndarray) -> None:
        image, _, x1, y1, x2, y2, line = window
        where = f"{self._windows.path}:{line}: {self._root}{self._windows.images[image]}"
        pixels = decode_image(self._bytes(image, where), where, color=True, follows_exif=True)
        try:
            self._cropper.apply(pixels, (x1, y1, x2, y2), mirror, self._mean, self._scale, out)
        except ValueError as error:
            raise DataError(f"{where}: the window {x1} {y1} {x2} {y2} {error}") from None

    def _bytes(self, image: int, where: str) -> bytes:
        """The file of an image."""
        if self._cache is not None and image in self._cache:
            return self._cache[image]
        path = Path(self._root + self._windows.images[image])
        data = read_listed_file(path, self._folder, where)
        if self._cache is not None:
            with self._lock:
                self._cache[image] = data
        return data

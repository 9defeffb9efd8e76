"""Batches of segments of videos, cut at fixed places and several scales.

Source: yjxiong/caffe, video_data_layer.cpp and data_transformer.cpp.
"""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass

import numpy as np

from protonet.data.image_rng import ImageRNG
from protonet.data.index_sampler import IndexSampler
from protonet.data.prefetch import Batch, Empty, PrefetchedSource, Prefetcher
from protonet.data.resize import resize
from protonet.data.segment_list import SegmentList
from protonet.errors import DataError
from protonet.ranks.communicator import Part

RATIOS = (1.0, 0.875, 0.75, 0.66)
"""Sides of crops, over the shorter side of the image."""
_NEAR = 3
"""Crops whose sides differ by less from the size are not resized."""


@dataclass(frozen=True)
class SegmentTransform:
    """What happens to the planes of a video.

    Attributes:
        size: of the crop; 0 for whole images.
        training: crops at random; else in the middle.
        fixed: crops at the corners and the middle alone; ``more``: also at edges and quarters.
        ratios: several scales: each side of a crop is one of these times the shorter side of the
            image, then resized; None for one.
        distort: how many places apart in ``ratios`` both sides may be.
        mirror: mirror at random; ``flow``: every other plane, of the horizontal motion, then
            changes its sign, from 0 to 255.
        mean, scale: (x - mean) * scale; ``mean`` is repeated over the planes.
    """

    size: int = 0
    training: bool = False
    fixed: bool = False
    more: bool = False
    ratios: tuple[float, ...] | None = None
    distort: int = 1
    mirror: bool = False
    flow: bool = False
    mean: tuple[float, ...] = (0.0,)
    scale: float = 1.0

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """The size of images of this size.

        Raises:
            DataError: when they are smaller than the crop.
        """
        if not self.size:
            return height, width
        if min(height, width) < self.size:
            raise DataError(
                f"frames of {height}x{width} are smaller than crop_size {self.size}; set "
                "new_height and new_width"
            )
        return self.size, self.size

    def apply(self, planes: np.ndarray, out: np.ndarray, rng: ImageRNG) -> None:
        """Write the transformed planes."""
        height, width = planes.shape[1:]
        mirrored = self.mirror and bool(rng.randrange(2))
        if self.size:
            down, across = self._extents(height, width, rng)
            top, left = self._corner(height - down, width - across, rng)
            part = planes[:, top : top + down, left : left + across]
            planes = resize(part, self.size, self.size)
        values = planes.astype(np.float32)
        if mirrored:
            values = values[:, :, ::-1]
            if self.flow:
                values[::2] = 255 - values[::2]
        mean = np.resize(np.array(self.mean, np.float32), len(values))
        np.subtract(values, mean[:, None, None], out=out)
        out *= self.scale

    def _extents(self, height: int, width: int, rng: ImageRNG) -> tuple[int, int]:
        """Rows and columns of the crop."""
        if not self.training or self.ratios is None:
            return self.size, self.size
        short = np.float32(min(height, width))
        sides = [int(short * np.float32(ratio)) for ratio in self.ratios]
        sides = [self.size if abs(side - self.size) < _NEAR else side for side in sides]
        places = range(len(sides))
        pairs = [(i, j) for i in places for j in places if abs(i - j) <= self.distort]
        first, second = pairs[rng.randrange(len(pairs))]
        return max(1, sides[first]), max(1, sides[second])

    def _corner(self, down: int, across: int, rng: ImageRNG) -> tuple[int, int]:
        """Where the crop begins, of ``down`` + 1 rows and ``across`` + 1 columns."""
        if not self.training:
            return down // 2, across // 2
        if not self.fixed:
            return rng.randrange(down + 1), rng.randrange(across + 1)
        places = [(0, 0), (0, 4), (4, 0), (4, 4), (2, 2)]
        if self.more:
            places += [(0, 2), (4, 2), (2, 0), (2, 4), (1, 1), (1, 3), (3, 1), (3, 3)]
        row, column = places[rng.randrange(len(places))]
        return row * (down // 4), column * (across // 4)


class SegmentSource(PrefetchedSource):
    """Prefetched batches of videos; what is drawn is a function of seed, name and index.

    Args:
        listed: the videos.
        batch_size: videos in a batch.
        segments: parts of equal length that a video is divided into; of each, consecutive frames
            are taken, in training at a random place, else in the middle; the first ones where it
            is too short.
        transform: what happens to the frames.
        size: of the transformed frames.
        shuffle, seed: the order; ``name`` is the layer's.
        part: of every batch, the videos that are delivered; ``batch_size`` is their number.
        skip: videos skipped once, at the start.
        threads: number of workers.
        empty: allocates the arrays of the batches.
    """

    def __init__(
        self,
        listed: SegmentList,
        batch_size: int,
        segments: int,
        transform: SegmentTransform,
        size: tuple[int, int],
        *,
        shuffle: bool = False,
        seed: int = 0,
        name: str = "",
        part: Part | None = None,
        skip: int = 0,
        threads: int = 2,
        empty: Empty = np.empty,
    ) -> None:
        self._listed, self._segments, self._transform = listed, segments, transform
        self._sampler = IndexSampler(len(listed), shuffle=shuffle, seed=seed)
        self._skip, self._step = skip, 1 if part is None else part.step
        self._key = np.array([seed % 2**64, zlib.crc32(name.encode())], np.uint64)
        shape = (segments * listed.length * listed.planes, *size)
        super().__init__(
            Prefetcher(self._fill, batch_size, shape, threads, empty, None, lambda _: part)
        )

    def take(self) -> Batch:
        """The next batch, not to be written to, and the caller's until ``give_back``."""
        return self._prefetcher.take()

    def next(self, data: np.ndarray, labels: np.ndarray | None = None) -> None:
        """Write the next batch: frames to ``data``, (n, planes, h, w), classes to ``labels``."""
        self._prefetcher.next(data, labels)

    def starts(self, row: int, rng: ImageRNG) -> list[int]:
        """The frame before the first one of each segment of a video."""
        each = self._listed.frames(row) // self._segments
        room = each - self._listed.length + 1
        if room < 1:
            return [0] * self._segments
        inner = [
            rng.randrange(room) if self._transform.training else room // 2
            for _ in range(self._segments)
        ]
        return [place * each + start for place, start in enumerate(inner)]

    def _fill(self, part: Batch, first: int, _start: int) -> None:
        clock = time.perf_counter
        began, reading, count = clock(), 0.0, len(part.labels)
        step, span = self._step, (count - 1) * self._step + 1
        rows = self._sampler.indices(first + self._skip, span)[::step].tolist()
        for place, row in enumerate(rows):
            rng, before = ImageRNG(self._key, first + place * step), clock()
            planes = self._listed.read(row, self.starts(row, rng))
            reading += clock() - before
            part.labels[place] = self._listed.label(row)
            out = part.data[place]
            try:
                size = self._transform.output_size(*planes.shape[1:])
                if size != out.shape[1:]:
                    raise DataError(
                        f"frames of {size[0]}x{size[1]} in a batch of {out.shape[1]}x"
                        f"{out.shape[2]}; set new_height and new_width, or a crop_size"
                    )
                self._transform.apply(planes, out, rng)
            except DataError as error:
                raise DataError(f"{self._listed.where(row)}: {error}") from None
        self.times.record(began, reading, clock() - began - reading, count)

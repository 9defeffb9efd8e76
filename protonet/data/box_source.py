"""Batches of images with boxes and label maps, as detectors of regions are trained with."""

from __future__ import annotations

import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from protonet.data.box_crops import Placed, Zoom, place_image
from protonet.data.box_labels import Area, Labeller
from protonet.data.box_list import BoxList, Scene
from protonet.data.image_rng import ImageRNG
from protonet.data.index_sampler import IndexSampler
from protonet.data.prefetch import InputTimes
from protonet.data.resize import resize
from protonet.errors import DataError

_AHEAD = 3
"""Batches in flight."""
_LARGEST = 2**27
"""Pixels that an image may be resized to."""
ORDERS = ("", "random", "random_aspect", "random_mix_aspect")
"""How a list is shuffled; the first one is its own order."""

Size = tuple[int, int]
"""Height and width."""


class BoxBatch(NamedTuple):
    """Images (N, 3, H, W), label maps (N, 6, rows, columns), rows of boxes, and (N, 2) sizes.

    A row has item, xmin, ymin, xmax, ymax, class, ignored, difficult.
    """

    images: np.ndarray
    maps: list[np.ndarray]
    rows: np.ndarray
    sizes: np.ndarray


@dataclass(frozen=True)
class BoxTransform:
    """What happens to each image.

    Attributes:
        size: the new size of an image of a size, for a random number of the batch.
        canvas: the size of a batch whose first image has the size given second.
        zoom: the random scale; None: none.
        places: cut at random; else the whole image is shown.
        mirror: mirror at random.
        mean, scale: (x - mean) * scale; ``mean`` is (3, 1, 1).
        least: the least width and height of objects that are not ignored.
        labeller: makes the label maps; None for none.
        distort: changes the colours of an image.
    """

    size: Callable[[Size, int], Size]
    canvas: Callable[[Size, int], Size]
    zoom: Zoom | None = None
    places: bool = True
    mirror: bool = False
    mean: np.ndarray | None = None
    scale: float = 1.0
    least: tuple[float, float] = (0.0, 0.0)
    labeller: Labeller | None = None
    distort: Callable[[np.ndarray, ImageRNG], np.ndarray] | None = None

    def prepare(
        self, image: np.ndarray, scene: Scene, number: int, rng: ImageRNG
    ) -> tuple[np.ndarray, Scene]:
        """Distorted, mirrored and resized."""
        if self.distort is not None:
            image = self.distort(image, rng)
        height, width = image.shape[1:]
        if self.mirror and rng.randrange(2):
            image, scene = image[:, :, ::-1], scene.mirrored(width)
        size = self.size((height, width), number)
        if size[0] * size[1] > _LARGEST:
            raise DataError(f"would become {size[0]} x {size[1]} pixels")
        factors = (size[1] / width, size[0] / height)
        return resize(image, *size), scene.moved(factors, (0.0, 0.0))

    def place(self, image: np.ndarray, scene: Scene, canvas: Size, rng: ImageRNG) -> Placed:
        """Cut to the size of the batch."""
        if not self.places:
            return Placed(image, 0, 0, scene)
        placed = place_image(image, scene, canvas, self.zoom, rng)
        return placed._replace(scene=self._ignoring(placed.scene, canvas))

    def _ignoring(self, scene: Scene, canvas: Size) -> Scene:
        """Objects that are too small, or whose centre is not shown, are ignored."""
        corners = scene.corners
        centres = (corners[:, :2] + corners[:, 2:]) / 2
        gone = ((centres < 0) | (centres >= canvas[::-1])).any(axis=1)
        gone |= (corners[:, 2:] - corners[:, :2] + 1 < self.least).any(axis=1)
        return scene._replace(ignored=scene.ignored | gone)

    def write(self, placed: Placed, out: np.ndarray) -> None:
        """Write the pixels; the rest of ``out`` (3, H, W) is 0."""
        out.fill(0)
        height, width = placed.pixels.shape[1:]
        part = out[:, placed.top : placed.top + height, placed.left : placed.left + width]
        np.subtract(placed.pixels, 0 if self.mean is None else self.mean, out=part)
        part *= self.scale


class BoxSource:
    """Prefetched batches of a list of images with boxes.

    All random numbers are a function of the seed, the name and the image's index in the stream.

    Args:
        listed: the images.
        transform: what happens to them.
        batch_size: images in a batch.
        order: one of ``ORDERS``.
        group: images of a kind in a row, for random_mix_aspect.
        cache: keep the files of the images in memory once read.
        seed, name: decide the random numbers; ``name`` is the layer's.
        threads: number of workers.
    """

    def __init__(
        self,
        listed: BoxList,
        transform: BoxTransform,
        batch_size: int,
        *,
        order: str = "",
        group: int = 64,
        cache: bool = False,
        seed: int = 0,
        name: str = "",
        threads: int = 2,
    ) -> None:
        self.batch_size, self.times = batch_size, InputTimes()
        self._listed, self._transform = listed, transform
        self._order, self._group = order, group
        self._key = np.array([seed % 2**64, zlib.crc32(name.encode())], np.uint64)
        self._sampler = IndexSampler(len(listed.images), shuffle=bool(order), seed=seed)
        self._cache: dict[str, bytes] | None = {} if cache else None
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(max(1, threads), thread_name_prefix="protonet-data")
        self._position = self._submitted = 0
        self._in_flight: deque[Future[BoxBatch]] = deque()

    @property
    def position(self) -> int:
        """Images delivered so far; setting it seeks in the stream."""
        return self._position

    @position.setter
    def position(self, value: int) -> None:
        for future in self._in_flight:
            future.cancel()
        self._in_flight.clear()
        self._position = self._submitted = value

    def take(self) -> BoxBatch:
        """The next batch.

        Raises:
            DataError: naming the image that cannot be used.
        """
        while len(self._in_flight) < _AHEAD:
            self._in_flight.append(self._pool.submit(self._make, self._submitted))
            self._submitted += self.batch_size
        began = time.perf_counter()
        try:
            batch = self._in_flight.popleft().result()
        except BaseException:
            # The batch was not delivered, so seek back to it.
            self.position = self._position
            raise
        self.times.waited += time.perf_counter() - began
        self._position += self.batch_size
        return batch

    def close(self) -> None:
        """Stop the workers; idempotent."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._in_flight.clear()

    def places(self, start: int, count: int) -> list[int]:
        """The images of the list at places ``start`` to ``start + count - 1`` of the stream."""
        if self._order in ("", "random"):
            found: list[int] = self._sampler.indices(start, count).tolist()
            return found
        length = len(self._listed.images)
        spans = []
        for epoch in range(start // length, (start + count - 1) // length + 1):
            whole = self._by_aspect(epoch)
            first = epoch * length
            spans.append(whole[max(0, start - first) : start + count - first])
        return [int(place) for place in np.concatenate(spans)]

    def _by_aspect(self, epoch: int) -> np.ndarray:
        """The order of an epoch: all tall images and all others, or groups of them in turn."""
        length = len(self._listed.images)
        order = self._sampler.indices(epoch * length, length)
        tall = self._listed.tall[order]
        first = bool(ImageRNG(self._key, 2**63 + epoch).randrange(2))
        parts = [order[tall == first], order[tall != first]]
        if self._order == "random_aspect":
            return np.concatenate(parts)
        mixed: list[np.ndarray] = []
        while len(parts[0]) and len(parts[1]):
            mixed.append(parts[0][: self._group])
            parts = [parts[1], parts[0][self._group :]]
        return np.concatenate([*mixed, *parts])

    def _make(self, start: int) -> BoxBatch:
        clock = time.perf_counter
        began, reading, transform = clock(), 0.0, self._transform
        number = ImageRNG(self._key, 2**62 + start).randrange(2**31)
        images, maps, rows, sizes = np.empty((0,)), [], [], []
        for item, place in enumerate(self.places(start, self.batch_size)):
            before = clock()
            image = self._listed.read(place, self._bytes(place))
            reading += clock() - before
            rng = ImageRNG(self._key, start + item)
            try:
                image, scene = transform.prepare(
                    image, self._listed.images[place].scene, number, rng
                )
            except DataError as error:
                raise DataError(f"{self._listed.where(place)}: {error}") from None
            if not item:
                canvas = transform.canvas((image.shape[1], image.shape[2]), number)
                images = np.empty((self.batch_size, 3, *canvas), np.float32)
            placed = transform.place(image, scene, canvas, rng)
            transform.write(placed, images[item])
            maps.append(self._maps(placed, canvas))
            rows.append(_rows(item, placed.scene))
            sizes.append(image.shape[1:])
        self.times.record(began, reading, clock() - began - reading, self.batch_size)
        stacked = [np.stack(each) for each in zip(*maps, strict=True)]
        return BoxBatch(images, stacked, np.concatenate(rows), np.array(sizes, float))

    def _maps(self, placed: Placed, canvas: Size) -> Sequence[np.ndarray]:
        if self._transform.labeller is None:
            return []
        height, width = placed.pixels.shape[1:]
        area = Area(placed.left, placed.top, width, height)
        return self._transform.labeller.maps(placed.scene, canvas, area)

    def _bytes(self, place: int) -> bytes:
        path = self._listed.images[place].path
        if self._cache is not None and path in self._cache:
            return self._cache[path]
        data = self._listed.bytes(place)
        if self._cache is not None:
            with self._lock:
                self._cache[path] = data
        return data


def _rows(item: int, scene: Scene) -> np.ndarray:
    """The rows of an image's boxes, (n, 8)."""
    marks = np.stack([scene.kinds, scene.ignored, scene.difficult], axis=1)
    return np.concatenate([np.full((len(marks), 1), item), scene.corners, marks], axis=1)

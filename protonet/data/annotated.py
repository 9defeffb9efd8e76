"""Batches of images with boxes: records of AnnotatedDatum, as SSD is trained with."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from protonet.data.boxes import (
    Objects,
    extrapolated,
    mirrored,
    project,
    resized,
)
from protonet.data.database import Database
from protonet.data.datum import decode
from protonet.data.image_rng import ImageRNG
from protonet.data.index_sampler import IndexSampler
from protonet.data.prefetch import Batch, Empty, PrefetchedSource, Prefetcher
from protonet.data.sampling import sample
from protonet.data.shards import Shard
from protonet.data.transform import Draw, Transformer
from protonet.errors import DataError
from protonet.proto.caffe_pb2 import AnnotatedDatum, BatchSampler, TransformationParameter
from protonet.ranks.communicator import Part

ROW = 8
"""Numbers of a box in a batch: item, class, instance, xmin, ymin, xmax, ymax, difficult."""

_ADVICE = (
    "images of several sizes need a resize_param in transform_param; a network without data layers "
    "gets one from an Input layer 'data' of its size"
)


class Annotated(NamedTuple):
    """A decoded record: image (channels, height, width), label and objects."""

    image: np.ndarray
    label: int
    objects: Objects
    has_boxes: bool


def read_annotated(
    database: Database, key: bytes, *, color: bool | None = None, boxes: bool = False
) -> Annotated:
    """A record; ``boxes`` takes the boxes of one that does not say its type.

    Raises:
        DataError: when it is absent, damaged or of another kind.
    """
    record = database.annotated(key)
    image = decode(record.datum, database.where(key), color=color)
    typed = record.HasField("type") or boxes
    return Annotated(image, record.datum.label, _objects(record), typed)


def _objects(record: AnnotatedDatum) -> Objects:
    """All boxes, group after group."""
    rows = [
        (box.xmin, box.ymin, box.xmax, box.ymax, group.group_label, one.instance_id, box.difficult)
        for group in record.annotation_group
        for one in group.annotation
        for box in (one.bbox,)
    ]
    table = np.array(rows, np.float32).reshape(-1, 7)
    return Objects(table[:, :4], table[:, 4:])


class AnnotatedTransform:
    """Transforms an image and its boxes: distort, expand, random window, resize, noise, crop,
    mirror, mean and scale (SSD fork, annotated_data_layer.cpp).

    Args:
        transformer: of the image.
        samplers: of windows; without any the whole image is used.
    """

    def __init__(
        self,
        transformer: Transformer,
        param: TransformationParameter,
        samplers: Sequence[BatchSampler] = (),
    ) -> None:
        self.transformer = transformer
        self._samplers = samplers
        self._emit = param.emit_constraint if param.HasField("emit_constraint") else None
        self._resize = param.resize_param if param.HasField("resize_param") else None

    def draws(self, first: int, count: int) -> list[Draw]:
        """The random draws of records ``first`` to ``first + count - 1`` of the stream."""
        draws = self.transformer.draws(first, count)
        # Windows are drawn where nothing else is random, too.
        return [draw._replace(place=first + place) for place, draw in enumerate(draws)]

    def apply(self, record: Annotated, out: np.ndarray, draw: Draw) -> Objects:
        """Write the image to ``out``; the objects that it still shows."""
        transformer, rng = self.transformer, self.transformer.rng(draw)
        image, objects = record.image, record.objects
        if transformer.augment is not None:
            image, window = transformer.augment.before(image, rng)
            objects = project(objects, window, self._emit)
        if self._samplers:
            image, objects = self._windowed(image, objects, rng)
        size = (image.shape[1], image.shape[2])
        if transformer.augment is not None:
            image = transformer.augment.after(image, rng)
        if self._resize is not None:
            objects = resized(objects, self._resize, size)
        cropped = transformer.finish(image, out, draw)
        window = _window(cropped, image, out)
        objects = project(objects, window, self._emit)
        objects = mirrored(objects) if cropped.mirror else objects
        if self._resize is not None:
            objects = extrapolated(objects, self._resize, size, window)
        return objects

    def _windowed(
        self, image: np.ndarray, objects: Objects, rng: ImageRNG
    ) -> tuple[np.ndarray, Objects]:
        """One of the windows that the samplers find; the image itself where they find none."""
        windows = sample(self._samplers, objects.boxes, rng)
        if not len(windows):
            return image, objects
        window = windows[rng.randrange(len(windows))].clip(0, 1)
        height, width = image.shape[1:]
        left, right = (window[::2] * np.float32(width)).tolist()
        top, bottom = (window[1::2] * np.float32(height)).tolist()
        # The size is cut off, not the far corner.
        wide, high = max(1, int(right - left)), max(1, int(bottom - top))
        part = image[:, int(top) : int(top) + high, int(left) : int(left) + wide]
        return part, project(objects, window, self._emit)


def _window(draw: Draw, image: np.ndarray, out: np.ndarray) -> np.ndarray:
    """The crop in normalized coordinates of ``image``."""
    height, width = image.shape[-2:]
    down, across = out.shape[-2:]
    corners = [draw.left / width, draw.top / height]
    return np.array(
        [*corners, (draw.left + across) / width, (draw.top + down) / height], np.float32
    )


class AnnotatedSource(PrefetchedSource):
    """Prefetched batches of a database of images with boxes.

    The order is the database's; with ``shuffle`` it is that of a BatchSource with the same seed.
    Augmentation is a function of the seed and the record's index in the stream.

    Args:
        database: belongs to the source, which closes it.
        transform: of images and boxes.
        batch_size: records in a batch.
        color: force encoded images to colour (True) or gray (False).
        boxes: what ``read_annotated`` takes.
        typed: every record must say that it has boxes.
        shuffle, seed: the order.
        part: of every batch, the records that are delivered; ``batch_size`` is their number.
        shard: what is read of the database, if it is one of several shards.
        skip: records skipped once, at the start.
        threads: number of workers.
        empty: allocates the arrays of the batches.
    """

    def __init__(
        self,
        database: Database,
        transform: AnnotatedTransform,
        batch_size: int,
        *,
        color: bool | None = None,
        boxes: bool = False,
        typed: bool = True,
        shuffle: bool = False,
        seed: int = 0,
        part: Part | None = None,
        shard: Shard | None = None,
        skip: int = 0,
        threads: int = 2,
        empty: Empty = np.empty,
    ) -> None:
        self.batch_size = batch_size
        self._first, self._step = (0, 1) if part is None else (part.first, part.step)
        self._database = database
        self._transform = transform
        self._color, self._boxes, self._typed = color, boxes, typed
        self._keys = database.keys()
        self._index_sampler = IndexSampler(len(self._keys), shuffle=shuffle, seed=seed)
        self._skip, self._shard = skip, shard
        self._objects: dict[int, Objects] = {}
        shape = transform.transformer.output_shape
        super().__init__(
            Prefetcher(self._make, batch_size, shape, threads, empty, None, lambda _: part)
        )

    def discard(self) -> None:
        """Let go of the boxes of batches that were made but not taken."""
        self._objects.clear()

    def take(self) -> tuple[Batch, np.ndarray]:
        """The next batch, until ``give_back``, and the boxes of all its images: (n, ROW).

        Raises:
            DataError: naming the record that cannot be used and where it lies.
        """
        first = self.position + self._first
        batch = self._prefetcher.take()
        rows = []
        for item in range(self.batch_size):
            objects = self._objects.pop(first + item * self._step)
            items = np.full((len(objects.boxes), 1), item, np.float32)
            marks = objects.marks
            rows.append(np.concatenate([items, marks[:, :2], objects.boxes, marks[:, 2:]], axis=1))
        return batch, np.concatenate(rows)

    def close(self) -> None:
        """Stop the workers and close the database; idempotent."""
        super().close()
        self._database.close()

    def _rows(self, position: int, count: int) -> np.ndarray:
        """The records of ``count`` images from ``position`` of the stream on."""
        if self._shard is not None:
            return self._index_sampler.indices(self._shard.place(position) + self._skip, count)
        span = (count - 1) * self._step + 1
        return self._index_sampler.indices(position + self._skip, span)[:: self._step]

    def _make(self, part: Batch, first: int, _start: int) -> None:
        """Fill a part of a batch; ``first`` is its first record's index in the stream."""
        clock = time.perf_counter
        began, reading, count = clock(), 0.0, len(part.labels)
        step, span = self._step, (count - 1) * self._step + 1
        draws = self._transform.draws(first, span)[::step]
        rows = self._rows(first, count)
        for place, (row, draw) in enumerate(zip(rows.tolist(), draws, strict=True)):
            before = clock()
            key = self._keys[row]
            record = read_annotated(self._database, key, color=self._color, boxes=self._boxes)
            reading += clock() - before
            if self._typed and not record.has_boxes:
                raise DataError(
                    f"{self._database.where(key)}: the record has no type, but the first one "
                    "has; set anno_type: BBOX in annotated_data_param if its boxes count"
                )
            part.labels[place] = record.label
            try:
                objects = self._transform.apply(record, part.data[place], draw)
            except DataError as error:
                transformer = self._transform.transformer
                sized = record.image.shape[0] == transformer.shape[0] and not transformer.resizes
                advice = f"; {_ADVICE}" if sized else ""
                raise DataError(f"{self._database.where(key)}: {error}{advice}") from error
            self._objects[first + place * step] = objects
        self.times.record(began, reading, clock() - began - reading, count)

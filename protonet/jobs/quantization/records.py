"""The records that a net sees while it is quantized: those of its data layers, or images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from protonet.data.database import Database, is_database
from protonet.data.image_file import fitted, load_image
from protonet.data.transform import Transformer
from protonet.errors import DataError
from protonet.graph.net import Net
from protonet.jobs.evaluation.labelled import Item, find_items
from protonet.layers.batches import StreamLayer


class Records(Protocol):
    """Records by their number, from 0 on."""

    length: int | None
    """None if it is not known: then reading begins anew behind the last one."""

    def put(self, net: Net, block: Block) -> np.ndarray | None:
        """Let the next pass of a net see a block, and anything in the rest of its batch; returns
        the classes (-1: unknown) unless the net reads them.
        """

    def close(self) -> None:
        """Release files."""


@dataclass(frozen=True)
class Block:
    """Adjacent records of a batch."""

    first: int
    count: int


@dataclass(frozen=True)
class Sampling:
    """Blocks of records to calibrate with, and others to compare with.

    Both are spread evenly over all records. Where too few are left, ``compared`` are
    ``calibrated`` ones.
    """

    calibrated: tuple[Block, ...]
    compared: tuple[Block, ...]

    @property
    def disjoint(self) -> bool:
        """Whether no record is in both."""
        used = {block.first for block in self.calibrated}
        return not used.intersection(block.first for block in self.compared)

    @staticmethod
    def of(length: int | None, batch: int, calibrated: int, compared: int) -> Sampling:
        """For so many records, in batches; of an unknown number the first ones."""
        if length is None:
            length = calibrated + compared + 2 * batch
        blocks = [Block(at, min(batch, length - at)) for at in range(0, length, batch)]
        spread = _spread(blocks, -(-calibrated // batch))
        others = [block for block in blocks if block not in set(spread)] or spread
        apart = _spread(others, -(-compared // batch))
        return Sampling(_cut(spread, calibrated), _cut(apart, compared))


def _spread(blocks: Sequence[Block], count: int) -> list[Block]:
    """At most so many of the blocks, at equal distances."""
    count = min(count, len(blocks))
    return [blocks[at * len(blocks) // count] for at in range(count)]


def _cut(blocks: Sequence[Block], count: int) -> tuple[Block, ...]:
    """At most so many records."""
    more = sum(block.count for block in blocks) - count
    if more <= 0:
        return tuple(blocks)
    *whole, last = blocks
    return (*whole, Block(last.first, last.count - more))


@dataclass
class LayerRecords:
    """Those of a net's own data layers, of which the shortest has ``length``."""

    length: int | None

    def put(self, net: Net, block: Block) -> None:
        """Move all data layers there."""
        state = net.state()
        for layer in net.layers:
            if isinstance(layer, StreamLayer):
                state["layers"][layer.name] = {"position": block.first}
        net.restore(state)

    def close(self) -> None:
        """The net closes its data layers."""


@dataclass
class ImageRecords:
    """Images of a database, a folder, a list or a file, prepared as for ``protonet infer``.

    ``order`` is which channel of blue, green, red each channel of an image file is, None for as
    they are; ``fit`` how images of another size are resized. Close it.
    """

    images: Path
    transformer: Transformer
    order: Sequence[int] | None
    fit: str
    classes: int
    """Of the net; images of more have no known class."""
    names: Sequence[str] | None = None
    """Of the classes, if known."""
    length: int | None = field(init=False)
    _database: Database | None = field(init=False, default=None)
    _keys: Sequence[bytes] = field(init=False, default=())
    _items: Sequence[Item] = field(init=False, default=())

    def __post_init__(self) -> None:
        if is_database(self.images):
            self._database = Database(self.images)
            self._keys = self._database.keys()
            self.length = len(self._keys)
            return
        if not self.images.exists():
            raise DataError(f"{self.images}: no such database, folder, list or image")
        self._items = find_items([self.images], self.names, self.classes).items
        self.length = len(self._items)

    def put(self, net: Net, block: Block) -> np.ndarray:
        """Fill the input."""
        blob = net.inputs[net.plan.inputs[0].name]
        batch = np.zeros(blob.shape, np.float32)
        classes = np.full(len(batch), -1, np.int64)
        for place in range(block.count):
            pixels, classes[place] = self._record(block.first + place)
            self.transformer.apply(fitted(pixels, self.transformer, self.fit), batch[place], None)
        net.device.put(batch, blob.data)
        return classes

    def close(self) -> None:
        """Close the database."""
        if self._database is not None:
            self._database.close()

    def _record(self, place: int) -> tuple[np.ndarray, int]:
        """An image and its class, -1 if unknown."""
        if self._database is None:
            item = self._items[place]
            loaded = load_image(item.path, self.transformer, self.order, self.fit)
            return loaded.pixels, -1 if item.truth is None else item.truth
        key = self._keys[place]
        pixels, label = self._database.image(key)
        if len(pixels) != self.transformer.shape[0]:
            raise DataError(
                f"{self._database.where(key)}: the image has {len(pixels)} channel(s), but the "
                f"net takes {self.transformer.shape[0]}"
            )
        return pixels, label if 0 <= label < self.classes else -1

"""What the layers share that give batches of images and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from protonet.blob import Array, Shape
from protonet.data.records import ImageStore
from protonet.data.source import CACHE_LIMIT, BatchSource
from protonet.data.transform import Transformer, load_mean
from protonet.layers.base import Layer


@dataclass(frozen=True)
class BatchSettings:
    """How a layer reads its images: its message's fields, whatever they are called there."""

    batch_size: int
    color: bool | None = None
    shuffle: bool = False
    rand_skip: int = 0
    threads: int = 0
    cache_limit: int | None = CACHE_LIMIT


class ImageBatches(Layer):
    """Base of the layers whose tops are images and, where a second one is named, labels.

    ``setup`` calls ``open``.
    """

    bottoms = (0, 0)
    tops = (1, 2)

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.store: ImageStore | None = None
        self.source: BatchSource | None = None

    @property
    def batch_size(self) -> int:
        """Images in a batch."""
        return self._settings.batch_size

    @property
    def length(self) -> int:
        """The number of images."""
        assert self.store is not None, "setup comes first"
        return len(self.store)

    def open(self, store: ImageStore, settings: BatchSettings) -> None:
        """Take up where images come from; the first one decides the shape."""
        self.store, self._settings = store, settings
        transform = self.spec.transform_param
        try:
            image, _ = store.read(store.keys()[0], color=settings.color)
            channels, height, width = image.shape
            mean = None
            if transform.mean_file:
                mean = load_mean(self.around.find(transform.mean_file))
            self.transformer = Transformer(
                transform,
                self.phase,
                (channels, height, width),
                mean,
                seed=self.around.seed,
                name=self.name,
            )
        except BaseException:
            self.close()
            raise

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        size = self._settings.batch_size
        return [(size, *self.transformer.output_shape), (size,)][: len(self.spec.top)]

    def build(self, shapes: Sequence[Shape]) -> None:
        assert self.store is not None, "setup comes before build"
        settings, around = self._settings, self.around
        skip = 0
        if settings.rand_skip:
            skip = int(np.random.default_rng(around.seed % 2**64).integers(settings.rand_skip))
        self.source = BatchSource(
            self.store,
            settings.batch_size,
            self.transformer,
            color=settings.color,
            shuffle=settings.shuffle,
            seed=around.seed,
            skip=skip,
            threads=settings.threads if settings.threads else around.threads,
            cache_limit=settings.cache_limit,
        )
        self._staging: list[np.ndarray] = []
        if not self.device.is_cpu:
            self._staging = [self.device.pinned(shape) for shape in self.infer(())]

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        assert self.source is not None, "build comes before forward"
        if not self._staging:
            self.source.next(*tops)
            return
        self.source.next(*self._staging)
        for host, top in zip(self._staging, tops, strict=True):
            self.device.put(host, top)

    def state(self) -> dict[str, Any]:
        return {"position": self.source.position} if self.source is not None else {}

    def restore(self, state: dict[str, Any]) -> None:
        if self.source is not None:
            self.source.position = int(state["position"])

    def close(self) -> None:
        if self.source is not None:
            self.source.close()
        if self.store is not None:
            self.store.close()

"""Base classes and settings of layers that load batches of images and labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from google.protobuf.message import Message

from protonet.blob import Array, Shape
from protonet.data.prefetch import Batch, InputTimes
from protonet.data.shards import Shard
from protonet.data.source import CACHE_LIMIT
from protonet.data.transform import ImageShape, Transformer, load_mean
from protonet.errors import LayerError
from protonet.layers.base import Layer, Stateful
from protonet.proto.caffe_pb2 import LayerParameter
from protonet.ranks.communicator import Part
from protonet.staging import Staging


class Source(Protocol):
    """A source of batches; ``position`` alone determines the next one."""

    position: int
    times: InputTimes

    def next(self, data: np.ndarray, labels: np.ndarray | None = None) -> None:
        """Write the next batch."""

    def take(self) -> Batch:
        """The next batch, read-only, valid until ``give_back``."""

    def give_back(self, batch: Batch) -> None:
        """Return the arrays of a batch, to be reused."""

    def close(self) -> None:
        """Release files and threads."""


class Stream(Protocol):
    """Data with a read position."""

    position: int

    def close(self) -> None:
        """Release files and threads."""


class StreamLayer(Stateful):
    """A layer whose state is the position of its ``source``, which ``build`` makes."""

    source: Stream | None = None
    batch_size: int
    can_skip = True
    part: Part | None = None
    """Of every batch, what this rank delivers; None for all."""
    shard: Shard | None = None
    """What this rank reads of a shard; None for the data of all ranks."""
    image_shape: ImageShape

    def share_out(self) -> None:
        """Deliver only this rank's part of every batch, called by ``setup`` of layers that can."""
        ranks, size = self.context.ranks, self.batch_size
        if not ranks.alone:
            each = self.context.batch_per_rank
            self.part = ranks.part_of_each(size) if each else ranks.part(size)
            self.batch_size = self.part.count

    @property
    def tests_shard(self) -> bool:
        """Whether each rank makes batches of its own shard."""
        return self.shard is not None and self.part is None

    @property
    def whole_batch(self) -> int:
        """The images of a batch on all ranks."""
        return self.batch_size if self.part is None else self.part.whole

    def state(self) -> dict[str, Any]:
        return {} if self.source is None else {"position": self.source.position}

    def restore(self, state: dict[str, Any]) -> None:
        if self.source is not None:
            self.source.position = int(state["position"])

    def skip(self, passes: int) -> None:
        """Go on in the stream by so many batches; not in a shard, of which the passes of other
        ranks read nothing.
        """
        if self.source is not None and passes and not self.tests_shard:
            self.restore({"position": self.after(int(self.state()["position"]), passes)})

    def after(self, position: int, batches: int) -> int:
        """The position so many batches after another."""
        return position + batches * self.whole_batch

    def close(self) -> None:
        if self.source is not None:
            self.source.close()


class BatchLayer(StreamLayer):
    """Images (N x C x H x W) and, in a second top, their labels (N), from a ``Source``.

    ``setup`` sets ``batch_size`` and ``image_shape``; ``make_source`` is called by ``build``.
    """

    bottoms = (0, 0)
    tops = (1, 2)
    batch_size: int

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.source: Source | None = None
        self._staging: Staging | None = None
        self._sent: tuple[Batch, Any] | None = None

    def make_source(self) -> Source:
        """Make the source of batches."""
        raise NotImplementedError

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return self.tops_of(self.batch_size)

    def tops_of(self, count: int) -> list[Shape]:
        """The shapes of the tops for so many images."""
        return [(count, *self.image_shape), (count,)][: len(self.spec.top)]

    def build(self, shapes: Sequence[Shape]) -> None:
        self.source = self.make_source()

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        assert self.source is not None, "build comes before forward"
        if self.device.is_cpu:
            self.source.next(*tops)
            return
        # The next batch is copied to the GPU while it computes this one.
        if self._staging is None:
            arrays = zip(self.infer([]), (top.dtype for top in tops), strict=True)
            self._staging = Staging(self.device, list(arrays))
        if self._sent is None:
            self._send()
        self._staging.take(tops)
        self._give_back()
        self._send()

    def _send(self) -> None:
        """Start the copy of the next batch to the GPU."""
        assert self.source is not None
        assert self._staging is not None
        self._position = self.source.position
        batch = self.source.take()
        self._sent = (batch, self._staging.send(batch))

    def _give_back(self) -> None:
        """Return the batch that was copied to its source; waits for the copy only."""
        if self._sent is not None and self.source is not None:
            batch, mark = self._sent
            mark.synchronize()
            self.source.give_back(batch)
        self._sent = None

    @property
    def position(self) -> int:
        """Where the next batch begins in the stream: one that was copied ahead is not consumed."""
        assert self.source is not None, "build comes before"
        return self.source.position if self._sent is None else self._position

    def state(self) -> dict[str, Any]:
        return {} if self.source is None else {"position": self.position}

    def restore(self, state: dict[str, Any]) -> None:
        self._give_back()
        super().restore(state)

    def close(self) -> None:
        self._give_back()
        super().close()

    def skipped(self, rand_skip: int) -> int:
        """How many images are skipped before the first: a number below ``rand_skip``."""
        return skipped(rand_skip, self.context.seed)


def skipped(rand_skip: int, seed: int) -> int:
    """A random number below ``rand_skip``, from the seed; 0 if it is 0."""
    return int(np.random.default_rng(seed % 2**64).integers(rand_skip)) if rand_skip else 0


def shuffled(layer: Layer, param: Any) -> bool:
    """Whether to shuffle: as the layer's own message says, else as the run does."""
    if param.HasField("shuffle"):
        return bool(param.shuffle)
    return layer.context.shuffle and layer.training


def resize_size(param: Any, name: str) -> tuple[int, int] | None:
    """(height, width) that images are resized to; None to keep theirs.

    Raises:
        LayerError: for one of new_height and new_width without the other.
    """
    if bool(param.new_height) != bool(param.new_width):
        raise LayerError(
            f"new_height and new_width go together, got {param.new_height} and {param.new_width}",
            (name, "new_height" if param.new_height else "new_width"),
        )
    return (int(param.new_height), int(param.new_width)) if param.new_height else None


def mean_of(layer: Layer) -> np.ndarray | None:
    """The mean image of transform_param; None without one."""
    name = layer.spec.transform_param.mean_file
    return load_mean(layer.context.find(name)) if name else None


def transformer_of(
    layer: Layer, shape: Shape, mean: np.ndarray | None, *, any_size: bool = False
) -> Transformer:
    """The Transformer of transform_param for images of channels x height x width."""
    channels, height, width = shape
    param = layer.spec.transform_param
    return Transformer(
        param,
        layer.phase,
        (channels, height, width),
        mean,
        seed=layer.context.seed,
        name=param.draws_of if param.HasField("draws_of") else layer.name,
        any_size=any_size,
    )


@contextmanager
def naming_first_image(what: str) -> Iterator[None]:
    """Add to a LayerError the name of the first image, which settings are checked against."""
    try:
        yield
    except LayerError as error:
        raise LayerError(f"{error} (the first, {what})", error.path) from None


PLAIN = frozenset({"scale", "mirror", "crop_size", "mean_file", "mean_value"})
"""Fields of Caffe's transform_param that are supported for images of any kind."""
FORKS = frozenset(
    {
        "crop_h",
        "crop_w",
        "resize_param",
        "noise_param",
        "distort_param",
        "expand_param",
        "img_rand_resize_lower",
        "img_rand_resize_upper",
        "rand_resize_ratio_lower",
        "rand_resize_ratio_upper",
        "vertical_stretch_lower",
        "vertical_stretch_upper",
        "horizontal_stretch_lower",
        "horizontal_stretch_upper",
        "interpolation_algo_down",
        "interpolation_algo_up",
        "allow_upscale",
        "random_seed",
    }
)
"""Fields of forks that the Transformer supports."""
_SPEED = "use_gpu_transform"
"""Where the transformation runs, without effect on its result."""


def refuse_transform(spec: LayerParameter, done: frozenset[str]) -> None:
    """Raise LayerError for a field of transform_param that the layer does not support.

    Fields set to their default are accepted.
    """
    param = spec.transform_param
    for field, value in param.ListFields():
        if field.name in done or field.name == _SPEED:
            continue
        if field.message_type is None and value == field.default_value:
            continue
        raise LayerError(
            f"{field.name} is not supported by {spec.type} layers here; those that are: "
            f"{', '.join(sorted(done))}",
            ("transform_param", field.name),
        )


def cache_limit(cache: bool | None) -> int | None:
    """The cache limit in bytes for BatchSource; ``cache`` is None if not set."""
    if cache is None:
        return CACHE_LIMIT
    return None if cache else 0


def refuse_deprecated_fields(param: Message, name: str, fields: Sequence[str]) -> None:
    """Raise LayerError for fields of transform_param in the layer's own message."""
    for field in fields:
        if param.HasField(field):
            raise LayerError(f"{field} belongs in transform_param", (name, field))

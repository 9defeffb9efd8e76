"""What layers have in common that bring images and labels batch after batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from google.protobuf.message import Message

from protonet.blob import Array, Shape
from protonet.data.prefetch import Batch, InputTimes
from protonet.data.source import CACHE_LIMIT
from protonet.data.transform import ImageShape, Transformer, load_mean
from protonet.errors import LayerError
from protonet.layers.base import Layer, Stateful
from protonet.proto.caffe_pb2 import LayerParameter
from protonet.staging import Staging


class Source(Protocol):
    """Gives batch after batch; ``position`` is all that tells the next one."""

    position: int
    times: InputTimes

    def next(self, data: np.ndarray, labels: np.ndarray | None = None) -> None:
        """Write the next batch."""

    def take(self) -> Batch:
        """The next batch, not to be written to, and the caller's until ``give_back``."""

    def give_back(self, batch: Batch) -> None:
        """Let the arrays of a batch that was taken be filled again."""

    def close(self) -> None:
        """Release files and threads."""


class Stream(Protocol):
    """What has a place in its data."""

    position: int

    def close(self) -> None:
        """Release files and threads."""


class StreamLayer(Stateful):
    """A layer whose state is the position of its ``source``, which ``build`` makes."""

    source: Stream | None

    def state(self) -> dict[str, Any]:
        return {} if self.source is None else {"position": self.source.position}

    def restore(self, state: dict[str, Any]) -> None:
        if self.source is not None:
            self.source.position = int(state["position"])

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
    image_shape: ImageShape

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.source: Source | None = None
        self._staging: Staging | None = None
        self._sent: tuple[Batch, Any] | None = None

    def make_source(self) -> Source:
        """Where the batches come from."""
        raise NotImplementedError

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        images: Shape = (self.batch_size, *self.image_shape)
        return [images, (self.batch_size,)][: len(self.spec.top)]

    def build(self, shapes: Sequence[Shape]) -> None:
        self.source = self.make_source()

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        assert self.source is not None, "build comes before forward"
        if self.device.is_cpu:
            self.source.next(*tops)
            return
        # The next batch is copied while the GPU works on this one.
        if self._staging is None:
            self._staging = Staging(self.device, tops)
        if self._sent is None:
            self._send()
        self._staging.take(tops)
        self._give_back()
        self._send()

    def _send(self) -> None:
        """Let the next batch be copied to the GPU."""
        assert self.source is not None
        assert self._staging is not None
        self._position = self.source.position
        batch = self.source.take()
        self._sent = (batch, self._staging.send(batch))

    def _give_back(self) -> None:
        """Let the batch that was copied be filled again; waits for the copy, not for the work."""
        if self._sent is not None and self.source is not None:
            batch, mark = self._sent
            mark.synchronize()
            self.source.give_back(batch)
        self._sent = None

    def state(self) -> dict[str, Any]:
        # A batch that was sent is not used yet.
        return super().state() if self._sent is None else {"position": self._position}

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
    """A number below ``rand_skip`` that the seed decides; 0 where it is 0."""
    return int(np.random.default_rng(seed % 2**64).integers(rand_skip)) if rand_skip else 0


def shuffled(layer: Layer, param: Any) -> bool:
    """Whether the order is drawn: as the layer's own message says, else as the run does."""
    if param.HasField("shuffle"):
        return bool(param.shuffle)
    return layer.context.shuffle and layer.training


def resize_size(param: Any, name: str) -> tuple[int, int] | None:
    """(height, width) that images are resized to; None for their own.

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
    """The mean image that transform_param names; None where it names none."""
    name = layer.spec.transform_param.mean_file
    return load_mean(layer.context.find(name)) if name else None


def transformer_of(
    layer: Layer, shape: Shape, mean: np.ndarray | None, *, any_size: bool = False
) -> Transformer:
    """What transform_param does to images of this shape, channels x height x width."""
    channels, height, width = shape
    return Transformer(
        layer.spec.transform_param,
        layer.phase,
        (channels, height, width),
        mean,
        seed=layer.context.seed,
        name=layer.name,
        any_size=any_size,
    )


@contextmanager
def naming_first_image(what: str) -> Iterator[None]:
    """Let a LayerError say what the first of all images is, by which settings are judged."""
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
"""What the Transformer does of the forks' fields."""
_SPEED = "use_gpu_transform"
"""Says where the work is done, not what it is."""


def refuse_transform(spec: LayerParameter, done: frozenset[str]) -> None:
    """Raise LayerError for a field of transform_param that the layer would pass over.

    What is set to its default asks for nothing.
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
    """Bytes of images to keep, as BatchSource takes them; ``cache`` is None where nobody asked."""
    if cache is None:
        return CACHE_LIMIT
    return None if cache else 0


def refuse_deprecated_fields(param: Message, name: str, fields: Sequence[str]) -> None:
    """Raise LayerError where fields of transform_param stand in the layer's own message."""
    for field in fields:
        if param.HasField(field):
            raise LayerError(f"{field} belongs in transform_param", (name, field))

"""What a model tells of the shape of its input."""

from __future__ import annotations

import time
from collections.abc import Iterator

from protonet.blob import Shape
from protonet.errors import NetworkError
from protonet.proto.caffe_pb2 import TEST
from protonet.proto.source import Source
from protonet.torch7.builder import NetBuilder
from protonet.torch7.models import parts_of, tree
from protonet.torch7.network import builder, inputs_of, translate
from protonet.torch7.objects import Tensor, TorchObject

_COMMON = (224, 227, 256, 299, 28, 32, 64, 96, 128, 231)
_LARGEST = 256
_SECONDS = 5.0
"""After this time the shape counts as unknown."""


def input_shape(model: TorchObject) -> Shape | None:
    """The axes of an item that a model takes, such as channels, height and width of an image; None
    if it does not tell.

    A model that was saved with its state has the shape of its last input. Of another one,
    convolutions tell the channels, and a Linear the size, if only one square fits it, or one of
    the usual sizes. Poolings remember the size of their last input.
    """
    found = fitting_shape(model)
    if found is None or len(found) != 3 or _state(model) is not None:
        return found
    channels, height, width = found
    larger = (channels, 2 * height + 32, 2 * width + 32)
    return None if _takes(model, larger) else found  # else it takes images of any size


def fitting_shape(model: TorchObject) -> Shape | None:
    """The first shape that the model takes, for uses in which the shape does not matter."""
    state = _state(model)
    if state is not None:
        return state
    for shape in _vectors(model):
        if _takes(model, shape):
            return shape
    end = time.monotonic() + _SECONDS
    channels = _channels(model)
    for count in (1, 3) if channels is None else (channels,):
        for size in _sizes():
            if time.monotonic() > end:
                return None
            if _takes(model, (count, size, size)):
                return count, size, size
    return None


def _vectors(model: TorchObject) -> Iterator[Shape]:
    """The length of vectors that the first Linear takes, if the model takes vectors."""
    for each in tree(model):
        weight = each.fields.get("weight")
        if each.name == "Linear" and isinstance(weight, Tensor) and len(weight.shape) == 2:
            yield (weight.shape[1],)
            return


def _sizes() -> Iterator[int]:
    yield from _COMMON
    yield from (size for size in range(1, _LARGEST + 1) if size not in _COMMON)


def _takes(model: TorchObject, shape: Shape) -> bool:
    """Whether the model can be translated for images of this shape, and its poolings have seen
    such images.
    """
    net = builder(Source("", ""), TEST)
    try:
        translate(model, inputs_of(net, [(1, *shape)]), net)
    except NetworkError:
        return False
    return _pooled(model) <= _sizes_in(net)


def _pooled(model: TorchObject) -> set[tuple[int, int]]:
    """Height and width of the last inputs of poolings."""
    sizes = [(each.fields.get("iheight"), each.fields.get("iwidth")) for each in tree(model)]
    return {(h, w) for h, w in sizes if isinstance(h, int) and isinstance(w, int)}


def _sizes_in(net: NetBuilder) -> set[tuple[int, int]]:
    """Height and width of the blobs that layers read."""
    shapes = [net.blob_of(spec, at).shape for spec in net.specs for at in range(len(spec.bottom))]
    return {(shape[-2], shape[-1]) for shape in shapes if len(shape) > 2}


def _channels(model: TorchObject) -> int | None:
    """The channels of the input of the first convolution."""
    for each in tree(model):
        channels = each.fields.get("nInputPlane")
        if isinstance(channels, int):
            return channels
    return None


def _state(model: TorchObject) -> Shape | None:
    """The shape of an item of the last input, which the first gradient has."""
    made = model
    while True:
        gradient = made.fields.get("gradInput")
        if isinstance(gradient, Tensor) and len(gradient.shape) in (3, 4):
            return gradient.shape[-3:]
        parts = parts_of(made)
        if not parts or made.name != "Sequential":
            return None
        made = parts[0]

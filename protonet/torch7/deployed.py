"""A model from a .t7 file as a net that predicts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from protonet.blob import Shape
from protonet.errors import UsageError
from protonet.proto.caffe_pb2 import TEST
from protonet.proto.source import NetDefinition, Source
from protonet.torch7.guess import input_shape
from protonet.torch7.models import read_model
from protonet.torch7.network import TorchNet, builder, inputs_of, translate, with_inputs
from protonet.torch7.objects import TorchObject

INPUT = "data"
"""The name of the input."""


class UnknownShapeError(UsageError):
    """A model that does not tell the shape of its input."""


@dataclass(frozen=True)
class DeployedModel:
    """A translated model: its definition has an Input layer ``data``.

    ``guessed`` tells that the shape is what the model tells of it.
    """

    model: TorchObject
    net: TorchNet
    definition: NetDefinition
    shape: Shape
    guessed: bool

    def weights(self) -> dict[str, list[np.ndarray | None]]:
        """The parameters by layer name."""
        return self.net.weights()


def open_deployed(
    path: str | Path, shape: Shape | None = None, *, batch: int = 1, phase: int = TEST
) -> DeployedModel:
    """Read and translate the model in a .t7 file.

    Args:
        path: the file.
        shape: channels, height and width of an image, or the axes of another item; None for what
            the model tells.
        batch: the number of items.
        phase: TRAIN or TEST.

    Raises:
        UsageError: when the file cannot be read.
        UnknownShapeError: when the shape is needed.
        FormatError: when the file is damaged, or has no module.
        NetworkError: for modules that protonet does not have, or that do not fit the shape.
    """
    model = read_model(path)
    found = input_shape(model) if shape is None else shape
    if found is None:
        raise UnknownShapeError(f"{path}: the model does not tell the shape of its input")
    return deployed(model, path, found, batch=batch, phase=phase, guessed=shape is None)


def deployed(
    model: TorchObject,
    path: str | Path,
    shape: Shape,
    *,
    batch: int = 1,
    phase: int = TEST,
    guessed: bool = False,
) -> DeployedModel:
    """Translate a model from the file ``path``, as ``open_deployed`` does."""
    net = builder(Source(str(path), ""), phase)
    x = inputs_of(net, [(batch, *shape)], INPUT)
    translated = translate(model, x, net)
    definition = with_inputs(translated, x)
    definition.net.name = Path(path).stem
    return DeployedModel(model, translated, definition, tuple(shape), guessed)

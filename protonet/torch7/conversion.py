"""Weights between .t7 files and layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from protonet.blob import Shape
from protonet.errors import FormatError, NetworkError
from protonet.formats.caffemodel import Weights, read_weights
from protonet.formats.kind import is_torch7
from protonet.torch7 import serial
from protonet.torch7.deployed import DeployedModel, UnknownShapeError, deployed
from protonet.torch7.guess import fitting_shape
from protonet.torch7.models import model_in, read_model
from protonet.torch7.objects import Tensor, TorchObject
from protonet.torch7.parameters import put_flat
from protonet.torch7.trained import finish, put_weights

FLAT = "_Weights"
"""In the name of a file that has all weights as one vector: DIGITS tells the two kinds so."""


def layer_weights(path: str | Path, shape: Shape | None = None) -> Weights:
    """The weights of every layer, from a .t7 file with a model or any other file of weights.

    ``shape`` is one of the input that may fit the model, if it is known.

    Raises:
        UsageError, FormatError, NetworkError: as ``open_weights`` and ``read_weights``.
    """
    path = Path(path)
    if not is_torch7(path):
        return read_weights(path)
    if shape is not None:
        with suppress(NetworkError):
            return open_weights(path, None, shape).weights()
    return open_weights(path).weights()


def open_weights(
    path: Path, model: Path | None = None, shape: Shape | None = None
) -> DeployedModel:
    """The model in a .t7 file, or that of the file ``model`` with the flat weights of ``path``.

    ``shape`` is that of the input; None for any that fits.

    Raises:
        UsageError, FormatError, NetworkError: as ``open_any_shape``.
        FormatError: for flat weights without a model, or of another number.
    """
    value = serial.read(path)
    if not isinstance(value, Tensor):
        return _translated(model_in(value, path), path, shape)
    if model is None:
        raise FormatError(
            f"{path}: is a vector of {value.count:,} weights, without the net that they belong to; "
            "--model names a .t7 file with it"
        )
    opened = open_any_shape(model, shape)
    put_flat(opened.model, value.array, str(path))
    return opened


def open_any_shape(path: Path, shape: Shape | None = None) -> DeployedModel:
    """The model in a .t7 file, translated for any shape that fits.

    Raises:
        UnknownShapeError: when none is found.
        UsageError, FormatError, NetworkError: as ``open_deployed``.
    """
    return _translated(read_model(path), path, shape)


def _translated(model: TorchObject, path: Path, shape: Shape | None) -> DeployedModel:
    shape = fitting_shape(model) if shape is None else shape
    if shape is None:
        raise UnknownShapeError(
            f"{path}: no usual shape of an input fits the model; give it, as in "
            "--input-shape 3x224x224"
        )
    return deployed(model, path, shape)


def save_model(
    path: Path, opened: DeployedModel, weights: Mapping[str, Sequence[np.ndarray | None]], name: str
) -> int:
    """Write a model with the weights of layers from the file ``name``; returns their number.

    A name with ``_Weights`` gets all of them as one vector, else it is the whole model.

    Raises:
        FormatError: when weights are missing or have other shapes, or the disk is full.
        UsageError: when the folder cannot be written to.
    """
    put_weights(opened.net, weights, name)
    flat = finish(opened.model, {})
    serial.save(path, flat if FLAT in path.name else opened.model)
    return flat.count

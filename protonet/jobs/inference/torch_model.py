"""Prediction with a model of Torch7 (.t7)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from protonet.blob import Shape
from protonet.device import Device
from protonet.errors import NetworkError, UsageError
from protonet.jobs.inference.classification import Preprocessing
from protonet.jobs.inference.predictor import ImagePredictor
from protonet.layers.base import shape_text
from protonet.proto.text import Source, write_text
from protonet.torch7.deployed import DeployedModel, UnknownShapeError, open_deployed

RGB = (0, 1, 2)
"""Torch7 reads images as red, green, blue; so did DIGITS with it (tools/torch/data.lua)."""


def open_torch_model(
    path: Path,
    how: Preprocessing,
    shape: Shape | None = None,
    device: Device | None = None,
    *,
    memory_limit: int | None = None,
    fuse: bool = True,
    precision: str | None = None,
) -> ImagePredictor:
    """A predictor from a .t7 file. Close it.

    ``how`` is the preprocessing of images, by default in Torch7's order of channels. ``shape`` are
    channels, height and width of images; None for what the model tells.

    Raises:
        UsageError: when the file cannot be read, or the shape is needed.
        FormatError, NetworkError: as ``open_deployed``.
    """
    model = open_image_model(path, shape)
    channels, height, width = model.shape
    if how.channel_swap is None:
        how = replace(how, channel_swap=RGB)
    predictor = ImagePredictor(
        Source(str(path), write_text(model.definition.net)),
        model.weights(),
        how.transformer((channels, height, width)),
        device,
        how.order(channels),
        memory_limit=memory_limit,
        fuse=fuse,
        fit=how.fit,
        precision=precision,
    )
    if model.guessed:
        predictor.note = f"{path}: takes images of {shape_text(model.shape)}, as far as it tells"
    return predictor


def open_image_model(
    path: Path, shape: Shape | None, option: str = "--input-shape"
) -> DeployedModel:
    """The model in a .t7 file, for images; ``option`` gives their shape.

    Raises:
        UnknownShapeError: when the shape is needed.
        UsageError: for a model that does not take images.
    """
    try:
        opened = _translated(path, shape)
    except UnknownShapeError as error:
        raise UnknownShapeError(f"{error}; give it, as in {option} 3x224x224") from None
    if len(opened.shape) != 3:
        raise UsageError(f"{path}: takes items of {shape_text(opened.shape)}, not images")
    return opened


def _translated(path: Path, shape: Shape | None) -> DeployedModel:
    """The model on two images: with one, some modules would take the batch for a part of it."""
    try:
        return open_deployed(path, shape, batch=2)
    except NetworkError:
        return open_deployed(path, shape)

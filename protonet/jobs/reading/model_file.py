"""Models of Torch7 (.t7) as networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from protonet.blob import Shape
from protonet.data.database import Database
from protonet.data.datum import decode
from protonet.errors import UsageError
from protonet.jobs.reading.data_shapes import NOTHING, DataShapes
from protonet.layers.base import shape_text
from protonet.proto.source import NetDefinition
from protonet.torch7.conversion import open_any_shape
from protonet.torch7.deployed import INPUT, UnknownShapeError, open_deployed


def read_torch(path: Path, told: DataShapes) -> NetDefinition:
    """The network of a model, with its weights and an Input layer ``data``.

    It is translated for the input that is told, else for the one that the model tells; if nothing
    is told at all, for any that fits.

    Raises:
        NetworkError: for modules that protonet does not have, or that do not fit.
        FormatError: when the file is damaged, or has no module.
        UsageError: when it cannot be read, or the shape is needed.
    """
    if told is NOTHING:
        model = open_any_shape(path)
        return replace(model.definition, weights=model.weights)
    batch, shape = _given(path, told)
    try:
        model = open_deployed(path, shape, batch=batch)
    except UnknownShapeError as error:
        hint = "give --data DB, or the shape, as in --input data=1x3x224x224"
        raise UnknownShapeError(f"{error}; {hint}") from None
    note = f"{path}: takes {shape_text(model.shape)}, as far as it tells"
    printed = (note,) if model.guessed else ()
    return replace(model.definition, weights=model.weights, printed=printed)


def _given(path: Path, told: DataShapes) -> tuple[int, Shape | None]:
    """The batch size, and the shape of an item, None if it is not told."""
    if told.data is not None:
        return told.batch_size or 1, _of_database(told.data)
    if not told.inputs:
        return told.batch_size or 1, None
    if set(told.inputs) != {INPUT}:
        names = ", ".join(told.inputs)
        raise UsageError(f"{path}: the input of a .t7 file is called {INPUT}, not {names}")
    batch, *shape = told.inputs[INPUT]
    return told.batch_size or batch, tuple(shape)


def _of_database(path: Path) -> Shape:
    """The shape of the first image."""
    with Database(path) as database:
        for key, datum in database:
            return decode(datum, f"{path}: record {key!r}").shape
    raise UsageError(f"{path}: has no records")

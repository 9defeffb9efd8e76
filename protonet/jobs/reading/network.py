"""The network of a text, prototxt or Lua of Torch7, or of a .t7 file."""

from __future__ import annotations

from pathlib import Path

from protonet.formats.kind import is_torch7
from protonet.graph.reading import read_prototxt
from protonet.jobs.definitions.inputs import InputOptions
from protonet.jobs.reading.data_shapes import NOTHING, DataShapes
from protonet.jobs.run.settings import RunSettings, weight_files
from protonet.proto.language import is_lua
from protonet.proto.source import NetDefinition, Source


def read_definition(source: Source, shapes: DataShapes = NOTHING) -> NetDefinition:
    """The network of a text: prototxt, or Lua of Torch7, told apart by the text.

    The net of a Lua text has data layers with the batch sizes and the crop that the definition
    asks for, or Input layers; and its initial weights. Without any shape, it is translated for the
    images that the modules tell.

    Raises:
        NetworkError: with all mistakes that can be found, at their lines.
        UsageError: for a Lua text whose images are not known.
    """
    if not is_lua(source.text):
        return read_prototxt(source, shapes.inputs)
    from protonet.jobs.reading.lua import read_lua

    return read_lua(source, shapes)


def read_network(network: str | Path, shapes: DataShapes = NOTHING) -> NetDefinition:
    """The network in a file: a text, or a model of Torch7 (.t7); '-' reads a text from standard
    input.

    Raises:
        As ``read_definition`` and ``read_torch``.
    """
    path = Path(network)
    if str(network) == "-" or not path.is_file() or not is_torch7(path):
        return read_definition(Source.read(network), shapes)
    from protonet.jobs.reading.model_file import read_torch

    return read_torch(path, shapes)


def shapes_of_inputs(given: InputOptions) -> DataShapes:
    """What a definition is told of the options of a command."""
    return DataShapes(
        data=given.data,
        labels=given.labels,
        inputs=given.inputs or {},
        batch_size=given.batch_size,
        validates=True,
    )


def shapes_of(settings: RunSettings) -> DataShapes:
    """What a definition is told of the data of a training."""
    return DataShapes(
        data=settings.data,
        labels=settings.labels,
        batch_size=settings.batch_size,
        seed=settings.seed,
        gpus=0 if settings.device == "cpu" else 1,
        validates=settings.val_data is not None,
        weights=tuple(weight_files(settings.weights)),
    )

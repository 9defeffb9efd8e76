"""Models of Lua definitions that begin with given weights, and their fineTuneHook."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from protonet.blob import Shape
from protonet.formats.caffemodel import read_weights
from protonet.formats.kind import is_torch7
from protonet.proto.source import Source
from protonet.torch7 import serial
from protonet.torch7.deployed import deployed
from protonet.torch7.lua.definition import Definition, Params
from protonet.torch7.lua.running import fine_tune
from protonet.torch7.models import model_in
from protonet.torch7.objects import Tensor, TorchObject
from protonet.torch7.parameters import put_flat
from protonet.torch7.trained import put_weights


def begun(
    source: Source, definition: Definition, files: Sequence[str], params: Params, image: Shape
) -> tuple[TorchObject, tuple[str, ...]]:
    """The model that a training begins with, and those of the files that it has the weights of.

    As in DIGITS' Torch wrapper, a vector becomes all parameters, and a fineTuneHook changes the
    model of the file. Without a hook, files with names for their weights are left to the net.

    Raises:
        NetworkError: for a hook that fails.
        UsageError, FormatError: for files that cannot be read or do not fit.
    """
    model = definition.model
    assert model is not None, "a definition to train has a model"
    taken = []
    for name in files:
        path = Path(name)
        torch = path.is_file() and is_torch7(path)
        value = serial.read(path) if torch else None
        if isinstance(value, Tensor):
            put_flat(model, value.array, name)
        elif not definition.fine_tunes:
            continue
        elif torch:
            model = model_in(value, path)
        else:
            put_weights(deployed(model, source.name, image).net, read_weights(path), name)
        taken.append(name)
    if taken and definition.fine_tunes:
        model = fine_tune(source, model, params)
    return model, tuple(taken)

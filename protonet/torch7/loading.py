"""Modules, criterions and values of Torch7 from Lua texts and .t7 files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from protonet.errors import NetworkError, UsageError
from protonet.formats.kind import is_torch7
from protonet.proto.source import Source
from protonet.torch7 import serial
from protonet.torch7.api import TorchCriterion, TorchModule
from protonet.torch7.lua.definition import Params
from protonet.torch7.lua.running import run
from protonet.torch7.models import read_model
from protonet.torch7.modules.base import Criterion, module_class
from protonet.torch7.objects import TorchObject

LONGEST_PATH = 4096
SEED = 42
"""Of initial values, unless another is given."""


def load(
    path_or_text: str | Path,
    input_shapes: Sequence[Any],
    phase: str = "training",
    nclasses: int | None = None,
    *,
    seed: int = SEED,
) -> TorchModule:
    """The model of a Lua text, or of a .lua or .t7 file.

    Args:
        path_or_text: a file, or the Lua text itself.
        input_shapes: whole shapes of the inputs, with the batch axis; lists for nested tables.
        phase: ``training`` or ``evaluate``.
        nclasses: what a definition gets as ``params.nclasses``.
        seed: of the initial values that a definition draws.

    Raises:
        NetworkError: at the line that is wrong.
        FormatError: for a damaged file.
        UsageError: for a missing file, or another phase.
    """
    path = _file(path_or_text)
    if path is not None and is_torch7(path):
        return TorchModule(read_model(path), input_shapes, phase, Source(str(path), ""))
    source = _source(path_or_text, path)
    definition = run(source, Params(_image_shape(input_shapes), nclasses, seed=seed))
    if definition.model is None:
        raise NetworkError(f"{source.name}: the definition has a loss, but no model")
    return TorchModule(definition.model, input_shapes, phase, source)


def load_criterion(path_or_text: str | Path, *, seed: int = SEED) -> TorchCriterion:
    """The criterion of a Lua text, or of a .lua or .t7 file.

    Raises:
        As ``load``.
    """
    path = _file(path_or_text)
    if path is not None and is_torch7(path):
        loss = serial.read(path)
        if not isinstance(loss, TorchObject) or not issubclass(
            module_class(loss.typename), Criterion
        ):
            raise UsageError(f"{path}: has no criterion of Torch7")
        return TorchCriterion(loss, Source(str(path), ""))
    source = _source(path_or_text, path)
    return TorchCriterion(run(source, Params(seed=seed)).loss, source)


def read(path: str | Path, functions: bool = False) -> Any:
    """Any value in a .t7 file: numbers, strings, ``Tensor``, ``Table``, ``TorchObject``.

    With ``functions``, functions with bytecode become ``Function``; they are never run.

    Raises:
        FormatError: for a damaged file, with the offset.
        UsageError: for a missing file.
    """
    return serial.read(path, functions)


def _file(given: str | Path) -> Path | None:
    """The file that is meant; None for a text."""
    if isinstance(given, Path):
        return given
    if "\n" in given or len(given) > LONGEST_PATH:
        return None
    names_file = given.endswith((".lua", ".t7")) or Path(given).exists()
    return Path(given) if names_file else None


def _source(given: str | Path, path: Path | None) -> Source:
    return Source("<text>", str(given)) if path is None else Source.read(path)


def _image_shape(shapes: Sequence[Any]) -> tuple[int, ...] | None:
    """Channels, height and width of the first input; None for inputs of other axes."""
    first: Any = shapes
    while len(first) > 0 and not isinstance(first[0], int | np.integer):
        first = first[0]
    if len(first) in (3, 4):
        return tuple(int(extent) for extent in first[-3:])
    return None

"""The options that tell the shapes of what no layer makes, and the advice to give them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from protonet.cli.options import gathered, with_options
from protonet.cli.terminal import note
from protonet.errors import NetworkError, UsageError, nearest

if TYPE_CHECKING:
    from protonet.jobs.definitions.inputs import InputOptions
    from protonet.proto.text import NetDefinition

Shape = tuple[int, ...]
_PATH = click.Path(path_type=Path)
_LOOKED_UP = 20
"""How many unknown names are looked up among the known ones."""


def input_shape(text: str) -> tuple[str, Shape]:
    """The blob and the axes of a text such as ``data=16x1x50x50``."""
    name, _, shape = text.partition("=")
    axes = shape.split("x")
    if not name or not all(axis.isdecimal() and int(axis) > 0 for axis in axes):
        raise click.BadParameter(f"expected NAME=SHAPE such as data=16x1x50x50, got '{text}'")
    return name, tuple(int(axis) for axis in axes)


_SHAPES = (
    click.option("--data", type=_PATH, help="LMDB of images: the source of the network's data."),
    click.option(
        "--labels", type=_PATH, help="LMDB of label vectors, paired with the images by key."
    ),
    click.option(
        "--input",
        "inputs",
        type=input_shape,
        multiple=True,
        metavar="NAME=SHAPE",
        help="Shape of a blob that no layer makes, such as data=16x1x50x50. May be repeated.",
    ),
    click.option(
        "--batch-size",
        type=click.IntRange(1),
        metavar="N",
        help="Images in a batch. Default: what the network says, or else 16.",
    ),
)


def input_options(command: Callable[..., None]) -> Any:
    """``--data``, ``--labels``, ``--input``, ``--batch-size``: the argument ``data``."""
    names = ("data", "labels", "inputs", "batch_size")
    return with_options(gathered(command, "data", _given_data, names), _SHAPES)


def _given_data(inputs: Sequence[tuple[str, Shape]], **others: Any) -> InputOptions:
    from protonet.jobs.definitions.inputs import InputOptions

    return InputOptions(inputs=dict(inputs), **others)


def explained(error: NetworkError, definition: NetDefinition) -> Exception:
    """The error; where blobs that no layer makes are all or part of it, with what would help."""
    # a layer in place makes nothing anew
    made = {t for layer in definition.net.layer for t in layer.top if t not in layer.bottom}
    reads = [bottom for layer in definition.net.layer for bottom in layer.bottom]
    unknown = list(dict.fromkeys(bottom for bottom in reads if bottom not in made))
    absent = [bottom for bottom in unknown[:_LOOKED_UP] if not nearest(bottom, made)]
    missing = [bottom for bottom in reads if bottom in absent]
    if not missing:
        return error
    names = " and ".join(f"'{name}'" for name in absent)
    advice = (
        f"{definition.source.name}: no layer makes {names}, so the shapes are not known; give\n"
        "    databases: --data DB [--labels DB]\n"
        f"    or shapes: --input {missing[0]}=16x1x50x50"
    )
    if len(error.mistakes) <= len(missing):
        return UsageError(advice)
    note(advice)
    return error

"""Options for the shapes of external inputs, and advice to use them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from protonet.cli.options import LARGEST, Count, gathered, with_options
from protonet.cli.terminal import note
from protonet.errors import NetworkError, UsageError, nearest

if TYPE_CHECKING:
    from protonet.jobs.definitions.inputs import InputOptions
    from protonet.proto.text import NetDefinition

Shape = tuple[int, ...]
_PATH = click.Path(path_type=Path)
_LOOKED_UP = 20
"""Maximal number of unknown names that are compared with known ones."""


def input_shape(text: str) -> tuple[str, Shape]:
    """The blob and the axes of a text such as ``data=16x1x50x50``."""
    name, _, shape = text.partition("=")
    axes = axes_of(shape)
    if not name or axes is None:
        raise click.BadParameter(
            f"expected NAME=SHAPE such as data=16x1x50x50, got '{text[:60]}'; an axis is from 1 to "
            f"{LARGEST}"
        )
    return name, axes


def axes_of(text: str) -> Shape | None:
    """The axes of a text such as ``16x1x50x50``; None for another text."""
    axes = text.split("x")
    if not all(axis.isdecimal() and 0 < int(axis) <= LARGEST for axis in axes):
        return None
    return tuple(int(axis) for axis in axes)


def image_shape(_ctx: click.Context, _param: click.Parameter, text: str | None) -> Shape | None:
    """The callback of ``input_shape_option``."""
    axes = axes_of(text) if text is not None else None
    if text is not None and (axes is None or len(axes) != 3):
        raise click.BadParameter(
            f"expected channels, height and width such as 3x224x224, got '{text[:60]}'"
        )
    return axes


input_shape_option = click.option(
    "--input-shape",
    callback=image_shape,
    metavar="CxHxW",
    help="Of a .t7 file or a Lua text: channels, height and width of its images. Default: what it "
    "tells.",
)


_SHAPES = (
    click.option("--data", type=_PATH, help="LMDB of images for the network's data."),
    click.option(
        "--labels", type=_PATH, help="LMDB of label vectors, paired with the images by key."
    ),
    click.option(
        "--input",
        "inputs",
        type=input_shape,
        multiple=True,
        metavar="NAME=SHAPE",
        help="Shape of an input blob, such as data=16x1x50x50. May be repeated.",
    ),
    click.option(
        "--batch-size",
        type=Count(1),
        metavar="N",
        help="Batch size. Default: that of the network, or else 16.",
    ),
    click.option(
        "--crop",
        type=Count(0),
        metavar="N",
        help="With --data: side of a square crop; 0: none. Default: that of the network.",
    ),
)


def input_options(command: Callable[..., None]) -> Any:
    """Options of databases and shapes, as the argument ``data``."""
    names = ("data", "labels", "inputs", "batch_size", "crop")
    return with_options(gathered(command, "data", _given_data, names), _SHAPES)


def _given_data(inputs: Sequence[tuple[str, Shape]], **others: Any) -> InputOptions:
    from protonet.jobs.definitions.inputs import InputOptions

    return InputOptions(inputs=dict(inputs), **others)


def explained(error: NetworkError, definition: NetDefinition) -> Exception:
    """The error, with advice if it is about blobs that no layer produces."""
    # an in-place layer produces no new blob
    made = {t for layer in definition.net.layer for t in layer.top if t not in layer.bottom}
    reads = [bottom for layer in definition.net.layer for bottom in layer.bottom]
    unknown = list(dict.fromkeys(bottom for bottom in reads if bottom not in made))
    absent = [bottom for bottom in unknown[:_LOOKED_UP] if not nearest(bottom, made)]
    missing = [bottom for bottom in reads if bottom in absent]
    if not missing:
        return error
    names = " and ".join(f"'{name}'" for name in absent)
    advice = (
        f"{definition.source.name}: no layer produces {names}, so the shapes are unknown; give\n"
        "    databases: --data DB [--labels DB]\n"
        f"    or shapes: --input {missing[0]}=16x1x50x50"
    )
    if len(error.mistakes) <= len(missing):
        return UsageError(advice)
    note(advice)
    return error

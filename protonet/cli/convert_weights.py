"""``protonet convert-weights``: convert weights between file formats."""

from __future__ import annotations

from pathlib import Path

import click

from protonet.cli.examples import CommandWithExamples

_PATH = click.Path(path_type=Path)


@click.command(
    "convert-weights",
    cls=CommandWithExamples,
    short_help="Convert weights to another file format.",
    examples=[
        "protonet convert-weights net.caffemodel net.npz",
        "protonet convert-weights net.safetensors net.caffemodel",
    ],
)
@click.argument("source", metavar="IN", type=_PATH)
@click.argument("out", metavar="OUT", type=_PATH)
def command(source: Path, out: Path) -> None:
    """Read the weights in IN and write them to OUT.

    Both may be a .caffemodel, a .caffemodel.h5, an .npz or a .safetensors file. The latter two have
    an array for each parameter, named by layer and index: conv1/0, conv1/1. A .caffemodel written
    from them has only names and weights, which is all that loading needs.
    """
    from protonet.formats.caffemodel import read_weights, write_weights

    weights = read_weights(source)
    write_weights(out, weights)
    count = sum(array.size for params in weights.values() for array in params if array is not None)
    layers = sum(1 for params in weights.values() if len(params))
    click.echo(f"{out}: {layers} layers, {count:,} values")

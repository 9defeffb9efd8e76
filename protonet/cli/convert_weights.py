"""``protonet convert-weights``: convert weights between file formats."""

from __future__ import annotations

from pathlib import Path

import click

from protonet.cli.examples import CommandWithExamples
from protonet.cli.shapes import input_shape_option
from protonet.cli.terminal import note
from protonet.errors import UsageError

_PATH = click.Path(path_type=Path)


@click.command(
    "convert-weights",
    cls=CommandWithExamples,
    short_help="Convert weights to another file format.",
    examples=[
        "protonet convert-weights net.caffemodel net.npz",
        "protonet convert-weights net.safetensors net.caffemodel",
        "protonet convert-weights snapshot_30_Model.t7 net.safetensors",
        "protonet convert-weights net.caffemodel trained_Model.t7 --model snapshot_30_Model.t7",
    ],
)
@click.argument("source", metavar="IN", type=_PATH)
@click.argument("out", metavar="OUT", type=_PATH)
@click.option(
    "--model",
    type=_PATH,
    metavar="FILE",
    help="If OUT is a .t7 file, or IN one without a net: the .t7 file of the net.",
)
@input_shape_option
def command(
    source: Path, out: Path, model: Path | None, input_shape: tuple[int, int, int] | None
) -> None:
    """Read the weights in IN and write them to OUT.

    Both may be a .caffemodel, a .caffemodel.h5, an .npz, a .safetensors or a .t7 file. An .npz and
    a .safetensors have an array for each parameter, named by layer and index: conv1/0, conv1/1. A
    .caffemodel written from them has only names and weights, which is all that loading needs.

    A .t7 file of Torch7 has the whole net; its layers are named by their modules: Linear1/0. One
    with _Weights in its name has all weights as one vector, as DIGITS writes them.
    """
    from protonet.formats import caffemodel
    from protonet.formats.kind import is_torch7
    from protonet.formats.stored_weights import int8_params_in
    from protonet.torch7.conversion import open_any_shape, open_weights, save_model

    opened = open_weights(source, model, input_shape) if is_torch7(source) else None
    stored = caffemodel.open_weights(source) if opened is None else opened.weights()
    weights = {name: list(params) for name, params in stored.items()}
    if out.suffix == ".t7":
        if opened is None and model is None:
            raise UsageError(f"{out}: a .t7 file has the net too; --model names one with it")
        opened = opened or open_any_shape(model or source, input_shape)
        save_model(out, opened, weights, str(source))
    else:
        caffemodel.write_weights(out, weights)
    count = sum(array.size for params in weights.values() for array in params if array is not None)
    layers = sum(1 for params in weights.values() if len(params))
    if int8_params_in(stored):
        note(
            f"{source}: has the ranges of `protonet quantize`; {out} has only weights, and nets "
            "compute in float32 with it"
        )
    click.echo(f"{out}: {layers} layers, {count:,} values")

"""``protonet export-onnx``: a net and its weights as an ONNX model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from protonet.cli.examples import CommandWithExamples
from protonet.cli.extensions import import_option
from protonet.cli.options import Count, Int32, snapshot_option
from protonet.cli.terminal import note
from protonet.cli.untrusted_option import untrusted_option
from protonet.errors import UsageError

if TYPE_CHECKING:
    from protonet.formats.caffemodel import Weights
    from protonet.proto.text import NetDefinition

_PATH = click.Path(path_type=Path)


@click.command(
    "export-onnx",
    cls=CommandWithExamples,
    short_help="Export a net as an ONNX model.",
    examples=[
        "protonet export-onnx runs/net-20260131-120000",
        "protonet export-onnx deploy.prototxt net.onnx --weights net.caffemodel",
        "protonet export-onnx train_val.prototxt --weights net.caffemodel --input 3x227x227",
        "protonet export-onnx snapshot_30_Model.t7 --input 3x224x224",
    ],
)
@click.argument("network", metavar="NETWORK|RUN", type=_PATH)
@click.argument("out", metavar="[OUT]", type=_PATH, required=False)
@click.option("--weights", "-weights", type=_PATH, metavar="FILE", help="The weights of NETWORK.")
@snapshot_option("The weights of RUN")
@click.option(
    "--batch",
    type=Count(1),
    metavar="N",
    help="Batch size. Default: dynamic; if a layer does not allow that, that of NETWORK.",
)
@click.option(
    "--input",
    "shape",
    metavar="CxHxW",
    help="Channels, height and width of an image, for a NETWORK that reads from databases, or a "
    ".t7 file.",
)
@click.option(
    "--stage", "stages", multiple=True, metavar="NAME", default=("deploy",), show_default=True,
    help="Stage to export. May be repeated.",
)  # fmt: skip
@click.option(
    "--level", type=Int32(), metavar="N", default=0, show_default=True, help="Level to export."
)
@untrusted_option
@import_option
def command(
    network: Path,
    out: Path | None,
    weights: Path | None,
    snapshot: str,
    batch: int | None,
    shape: str | None,
    stages: Sequence[str],
    level: int,
    untrusted: bool,
) -> None:
    """Export the net in the text or .t7 file NETWORK, or of the run directory RUN, to OUT.

    OUT is NETWORK or RUN with the ending .onnx by default. The model has the inputs of the net, so
    the caller must subtract the mean of training. Layers without ONNX operators are reported.
    """
    try:
        from protonet.onnx.export import export_net, write_model
    except ImportError as error:
        raise UsageError("ONNX needs its library: pip install 'protonet[onnx]'") from error

    definition, values = _definition(network, weights, snapshot, shape)
    exported = export_net(
        definition, values, level=level, stages=stages, batch=batch, python_layers=not untrusted
    )
    if values is None:
        note("no --weights: the model has the initial values of the fillers")
    elif exported.absent:
        note(f"{weights or network}: has no weights for {', '.join(exported.absent)}")
    if batch is None and not exported.any_batch:
        note("the batch size is fixed: a layer has shapes that do not scale with it")
    if out is None:
        out = Path(f"{network.resolve().stem}.onnx")
    for path in write_model(exported.model, out):
        click.echo(path)


def _definition(
    network: Path, weights: Path | None, snapshot: str, shape: str | None
) -> tuple[NetDefinition, Path | Weights | None]:
    """The net of a definition or a run, with an input of this shape; and its weights."""
    from protonet.jobs.definitions.network import make_deploy
    from protonet.jobs.reading.data_shapes import DataShapes
    from protonet.jobs.reading.network import read_network

    if network.is_dir():
        if weights is not None:
            raise UsageError(
                "--weights is for a NETWORK; a RUN has its own: choose with --snapshot"
            )
        network, weights = _of_run(network, snapshot)
    extents = None if shape is None else _extents(shape)
    inputs = {} if extents is None else {"data": (2, *extents)}
    definition = read_network(network, DataShapes(inputs=inputs, batch_size=1))
    own = definition.weights() if weights is None and definition.weights is not None else None
    if extents is not None:
        definition = make_deploy(definition, extents).definition
    return definition, weights if own is None else own


def _extents(text: str) -> tuple[int, int, int]:
    """``1x28x28`` as numbers."""
    parts = text.lower().split("x")
    if len(parts) != 3 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise UsageError(f"--input {text}: expected channels x height x width, such as 3x224x224")
    channels, height, width = map(int, parts)
    return channels, height, width


def _of_run(folder: Path, snapshot: str) -> tuple[Path, Path]:
    """The deploy net of a run, and the weights of one of its snapshots."""
    from protonet.jobs.inference.trained_run import choose_snapshot
    from protonet.jobs.run.directory import RunDirectory

    run = RunDirectory.open(folder)
    if not run.deploy.exists():
        raise UsageError(f"{folder}: this run has no deploy.prototxt to export")
    return run.deploy, run.snapshots().best_model(choose_snapshot(run, snapshot))

"""``protonet time``: time per layer, as `caffe time` measures it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from protonet.cli.caffe_flags import ModelFlags, model_options
from protonet.cli.extensions import import_option
from protonet.cli.gflags import GflagsCommand
from protonet.cli.terminal import print_table
from protonet.cli.untrusted_option import untrusted_option

if TYPE_CHECKING:
    from protonet.jobs.profiling.layer_times import Timing


@click.command(
    "time",
    cls=GflagsCommand,
    short_help="Time the layers of a net.",
    examples=[
        "protonet time deploy.prototxt --iterations 20",
        "protonet time -model train_val.prototxt -iterations 10 -phase TEST",
    ],
)
@model_options
@click.option(
    "--phase",
    "-phase",
    type=click.Choice(["train", "test"], case_sensitive=False),
    default="train",
    show_default=True,
    help="Phase of the net.",
)
@untrusted_option
@import_option
def command(flags: ModelFlags, phase: str, untrusted: bool) -> None:
    """Time every layer of the network in the file NETWORK, prototxt or Lua, forward and backward.

    Prints the lines of `caffe time`; then for each layer its share of the time, its arithmetic and
    its arithmetic rate, and the bytes of its blobs and parameters. Arithmetic and bytes are those
    of the forward pass.
    """
    from protonet.jobs.inference.open_net import open_net
    from protonet.jobs.profiling.layer_times import time_net
    from protonet.proto.caffe_pb2 import TEST, TRAIN

    options = flags.net_options(TEST if phase.lower() == "test" else TRAIN)
    net = open_net(flags.path, replace(options, gradients=True, python_layers=not untrusted))
    try:
        timing = time_net(net, flags.iterations)
    finally:
        net.close()
    _print_as_caffe(timing)
    _print_costs(timing)


def _print_as_caffe(timing: Timing) -> None:
    click.echo("Average time per layer:")
    for layer in timing.layers:
        for what in ("forward", "backward"):
            took = 1000 * getattr(layer, what)
            click.echo(f"{layer.name:>10}\t{what}: {took:g} ms.")
    whole = timing.forward + timing.backward
    click.echo(f"Average Forward pass: {1000 * timing.forward:g} ms.")
    click.echo(f"Average Backward pass: {1000 * timing.backward:g} ms.")
    click.echo(f"Average Forward-Backward: {1000 * whole:g} ms.")
    click.echo(f"Total Time: {1000 * whole * timing.iterations:g} ms.\n")


def _print_costs(timing: Timing) -> None:
    whole = sum(layer.forward + layer.backward for layer in timing.layers)
    print_table(
        ("layer", "type", "forward ms", "backward ms", "share", "MFLOP", "GFLOP/s", "MB"),
        [
            (
                layer.name,
                layer.type,
                f"{1000 * layer.forward:.3f}",
                f"{1000 * layer.backward:.3f}",
                f"{100 * (layer.forward + layer.backward) / whole:.1f} %" if whole > 0 else "",
                f"{layer.arithmetic / 1e6:.3f}",
                f"{layer.arithmetic / layer.forward / 1e9:.1f}" if layer.forward > 0 else "",
                f"{layer.traffic / 1e6:.3f}",
            )
            for layer in timing.layers
        ],
        folds=("layer",),
    )

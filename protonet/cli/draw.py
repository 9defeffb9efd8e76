"""``protonet draw``: a network as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from protonet.cli.examples import CommandWithExamples
from protonet.cli.options import Int32


@click.command(
    "draw",
    cls=CommandWithExamples,
    short_help="Draw a network.",
    examples=[
        "protonet draw net.prototxt",
        "protonet draw train_val.prototxt net.png --phase test --direction TB",
        "protonet draw net.prototxt net.mmd --phase test --stage deploy",
    ],
)
@click.argument("network", metavar="NETWORK")
@click.argument("out", metavar="[OUT]", type=click.Path(path_type=Path), required=False)
@click.option(
    "--phase",
    type=click.Choice(["train", "test", "all"], case_sensitive=False),
    help="Draw the layers of this phase. Default: all layers.",
)
@click.option(
    "--stage", "stages", multiple=True, metavar="NAME", help="Stage to draw. May be repeated."
)
@click.option(
    "--level", type=Int32(), metavar="N", default=0, show_default=True, help="Level to draw."
)
@click.option(
    "--direction",
    "--rankdir",
    type=click.Choice(["LR", "TB", "RL", "BT"]),
    default="LR",
    show_default=True,
    help="Direction of the data flow: right, down, left, up.",
)
@click.option(
    "--display-lrm", "--display_lrm", is_flag=True, help="Show the lr_mult of layers with weights."
)
def command(
    network: str,
    out: Path | None,
    phase: str | None,
    stages: Sequence[str],
    level: int,
    direction: str,
    display_lrm: bool,
) -> None:
    """Draw the network in the text NETWORK ('-': standard input), or the model in a .t7 file, into
    OUT.

    OUT is an .svg, .png, .jpg or .pdf file, or .mmd for a Mermaid diagram. By default it is NETWORK
    with the ending .svg. Networks with mistakes are drawn too.
    """
    from protonet.graph.drawing import draw_net, to_mermaid
    from protonet.jobs.reading.network import read_network
    from protonet.proto import rules
    from protonet.proto.caffe_pb2 import TEST, TRAIN

    definition = read_network(network)
    phase = None if phase == "all" else phase
    if phase is not None or stages or level:
        number = TEST if phase == "test" else TRAIN
        definition = rules.in_state(definition, number, level, stages)
    if out is None:
        out = Path("net.svg" if network == "-" else f"{Path(network).stem}.svg")
    if out.suffix == ".mmd":
        from protonet.formats.atomic import write_atomic

        write_atomic(
            out, to_mermaid(definition.net, direction=direction, rates=display_lrm).encode()
        )
    else:
        draw_net(definition.net, out, direction=direction, rates=display_lrm)
    click.echo(out)

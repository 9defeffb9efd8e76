"""``protonet plot``: trainings over each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from protonet.cli.examples import Exemplified


@click.command(
    "plot",
    cls=Exemplified,
    short_help="Draw trainings over each other.",
    examples=[
        "protonet plot runs/a runs/b",
        "protonet plot caffe.log runs/net-20260131-120000 --out compared.svg",
        "protonet plot runs/a runs/b --output accuracy --by-time",
    ],
)
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("plot.png"),
    show_default=True,
    help="The picture: .png, .svg or .pdf.",
)
@click.option(
    "--output",
    metavar="NAME",
    default="loss",
    show_default=True,
    help="What is drawn: the loss, or an output of the net.",
)
@click.option("--by-time", is_flag=True, help="Draw over seconds, not iterations.")
def command(logs: Sequence[Path], out: Path, output: str, by_time: bool) -> None:
    """Draw the loss, or another output, of all LOGS into one picture.

    A log is what Caffe or protonet printed, a metrics.jsonl, or a run directory. Curves of the
    training are drawn through, those of the first test net dashed.
    """
    from protonet.train.comparison import draw_comparison
    from protonet.train.logs import read_log

    found = {str(path): read_log(path) for path in logs}
    draw_comparison(found, out, output=output, by_time=by_time)
    click.echo(out)

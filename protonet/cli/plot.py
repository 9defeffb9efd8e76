"""``protonet plot``: learning curves of several trainings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from protonet.cli.examples import CommandWithExamples


@click.command(
    "plot",
    cls=CommandWithExamples,
    short_help="Plot the learning curves of trainings.",
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
    help="The file to write: .png, .svg or .pdf.",
)
@click.option(
    "--output",
    metavar="NAME",
    default="loss",
    show_default=True,
    help="The curve: loss, lr (the learning rate), or an output of the net.",
)
@click.option("--by-time", is_flag=True, help="Plot over seconds instead of iterations.")
def command(logs: Sequence[Path], out: Path, output: str, by_time: bool) -> None:
    """Plot the loss, or another output, of all LOGS in one figure.

    A log is the output of Caffe or protonet, a metrics.jsonl, or a run directory. Curves of
    training are solid, those of the first test net dashed.
    """
    _draw(logs, out, output, by_time)


def _draw(logs: Sequence[Path], out: Path, output: str, by_time: bool) -> None:
    from protonet.train.comparison import draw_comparison
    from protonet.train.logs import read_log

    read = {str(path): read_log(path) for path in logs}
    for name, log in read.items():
        if warning := log.warning():
            click.echo(f"{name}: {warning}", err=True)
    draw_comparison(read, out, output=output, by_time=by_time)
    click.echo(out)


_CHARTS = ("accuracy", "loss", "lr", "loss")
"""The charts 0 and 1, 2 and 3, ... of plot_training_log.py: over iterations, and over seconds."""


@click.command(
    "plot_training_log",
    cls=CommandWithExamples,
    examples=["protonet plot_training_log 6 loss.png caffe.log"],
)
@click.argument("chart", metavar="CHART", type=click.IntRange(0, 7))
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.argument("logs", metavar="LOG...", nargs=-1, required=True, type=click.Path(path_type=Path))
def training_log(chart: int, out: Path, logs: Sequence[Path]) -> None:
    """Plot LOGS into OUT, as Caffe's plot_training_log.py does.

    CHART is 0 for the accuracy over iterations and 1 over seconds, 2 and 3 for the test loss, 4
    and 5 for the learning rate, 6 and 7 for the training loss; 2, 3, 6 and 7 show both losses.
    """
    _draw(logs, out, _CHARTS[chart // 2], by_time=bool(chart % 2))

"""``protonet parse-log``: tables from a training log."""

from __future__ import annotations

from pathlib import Path

import click

from protonet.cli.examples import CommandWithExamples


@click.command(
    "parse-log",
    cls=CommandWithExamples,
    short_help="Make tables from a training log.",
    examples=[
        "protonet parse-log caffe.log",
        "protonet parse-log runs/net-20260131-120000 tables",
    ],
)
@click.argument("log", type=click.Path(path_type=Path))
@click.argument("folder", metavar="[FOLDER]", type=click.Path(path_type=Path), default=".")
@click.option("--delimiter", metavar="C", default=",", help="Separator of columns.")
@click.option("--verbose", is_flag=True, help="Accepted for parse_log.py; no effect.")
def command(log: Path, folder: Path, delimiter: str, verbose: bool) -> None:
    """Read LOG and write FOLDER/NAME.train and FOLDER/NAME.test as CSV.

    LOG is the output of Caffe or protonet, a metrics.jsonl, or a run directory. The columns are
    those of Caffe's parse_log.py: NumIters, Seconds, LearningRate, and the outputs of the net.
    Further test nets go to NAME.test1, NAME.test2, ...
    """
    from protonet.formats.atomic import write_atomic
    from protonet.train.logs import read_log, to_csv

    del verbose
    if len(delimiter) != 1 or delimiter in '\r\n"':
        raise click.UsageError(f"--delimiter {delimiter!r}: expected one character, such as ';'")
    read = read_log(log)
    if warning := read.warning():
        click.echo(f"{log}: {warning}", err=True)
    folder.mkdir(parents=True, exist_ok=True)
    name = log.resolve().name
    tables = {"train": read.train}
    for net, entries in read.tests.items():
        tables[f"test{net if net else ''}"] = entries
    for ending, entries in tables.items():
        path = folder / f"{name}.{ending}"
        write_atomic(path, to_csv(entries, delimiter).encode())
        click.echo(f"{path}: {len(entries)} rows")

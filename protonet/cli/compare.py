"""``protonet compare``: the settings and the best values of several runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from protonet.cli.examples import CommandWithExamples

if TYPE_CHECKING:
    from protonet.jobs.comparison.table import Table


@click.command(
    "compare",
    cls=CommandWithExamples,
    short_help="Compare the settings and the best values of runs.",
    examples=[
        "protonet compare runs/a runs/b",
        "protonet compare runs/* --sort accuracy --csv runs.csv",
    ],
)
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--sort", metavar="COLUMN", help="Sort by a column, the best first.")
@click.option(
    "--csv",
    "out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Also write the table here.",
)
def command(runs: Sequence[Path], sort: str | None, out: Path | None) -> None:
    """Print a table of run directories: the settings in which they differ, and the best value of
    each output with its iteration.

    The best loss or error is the lowest, the best accuracy, mean IoU or average precision the
    highest; of other outputs the last value is shown. The best of each column has a star. Paths are
    as short as they still differ; the file of --csv has all of them.
    """
    from protonet.formats.atomic import write_atomic
    from protonet.jobs.comparison.table import read_row, table_of, to_csv
    from protonet.jobs.run.directory import RunDirectory

    table = table_of(read_row(RunDirectory.open(path), str(path)) for path in runs)
    if sort is not None:
        table = _sorted(table, sort)
    _print(table)
    if out is not None:
        write_atomic(out, to_csv(table).encode())
        click.echo(out)


def _sorted(table: Table, column: str) -> Table:
    from protonet.errors import UsageError, nearest

    columns = ["run", *table.settings, *table.outputs]
    if column not in columns:
        raise UsageError(
            f"--sort {column}: no such column; there are {', '.join(columns)}"
            f"{nearest(column, columns)}"
        )
    return table.sorted_by(column)


def _print(table: Table) -> None:
    from protonet.cli.terminal import print_table

    texts = {name: table.texts(name) for name in table.settings}
    winners = {name: table.winners(name) for name in table.outputs}
    rows = []
    for place, row in enumerate(table.rows):
        cells = [row.name, *(texts[name][place] for name in table.settings)]
        for name in table.outputs:
            best, star = row.best.get(name), "*" if place in winners[name] else ""
            cells.append("" if best is None else f"{best.value:.6g}{star} ({best.iteration})")
        rows.append(cells)
    print_table(["run", *table.settings, *table.outputs], rows, numbers=table.outputs)

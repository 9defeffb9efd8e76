"""Terminal output of all commands: colors, tables, progress bars."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import click

from protonet.jobs.tasks.progress_log import Stages, Watch, log_progress

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

# A table that is written to a file or a pipe is never wrapped.
_UNBOUNDED = 10_000


def wants_color() -> bool:
    """Whether the environment allows colors (https://no-color.org)."""
    return not os.environ.get("NO_COLOR")


def complain(message: str) -> None:
    """Print an error on standard error."""
    color = None if wants_color() else False
    click.echo(f"{click.style('error:', fg='red', bold=True)} {message}", err=True, color=color)


def note(message: str) -> None:
    """Print a note on standard error."""
    click.echo(message, err=True)


def console() -> Console:
    """A rich console on standard output: colored and wrapped only on a terminal."""
    from rich.console import Console

    found = Console(file=sys.stdout, highlight=False)
    return found if found.is_terminal else Console(width=_UNBOUNDED, highlight=False)


def shows_bars(where: Console) -> bool:
    """Whether a progress bar can be redrawn in place."""
    return where.is_terminal and not where.is_dumb_terminal


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    folds: Sequence[str] = (),
    numbers: Sequence[str] = (),
) -> None:
    """Print rows under the titles ``columns``; columns of integers, and those in ``numbers``, are
    right-aligned.

    On a narrow terminal the columns in ``folds`` are wrapped.
    """
    from rich import box
    from rich.table import Table

    where = console()
    table = Table(
        box=box.SIMPLE_HEAD if where.is_terminal else None,
        header_style="bold",
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    cells = [[_plain(cell) for cell in row] for row in rows]
    for index, title in enumerate(columns):
        whole = all(row[index].replace(",", "").isdecimal() for row in cells)
        table.add_column(
            title,
            justify="right" if whole or title in numbers else "left",
            overflow="fold",
            no_wrap=title not in folds,
        )
    for row in cells:
        table.add_row(*row)
    with where.capture() as text:
        where.print(table)
    # rich pads every line to the width of the table.
    click.echo("\n".join(line.rstrip() for line in text.get().splitlines()))


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


@contextmanager
def progress(what: str) -> Iterator[Stages]:
    """A progress bar of ``what`` on a terminal; elsewhere an occasional line."""
    where = console()
    if not shows_bars(where):
        yield Stages(what, log_progress)
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=where, transient=True) as bar:

        def watch_of(stage: str) -> Watch:
            task = bar.add_task(stage, total=None)
            return lambda done, total: bar.update(task, completed=done, total=total)

        yield Stages(what, watch_of)


@contextmanager
def resumable_progress(what: str, output: Path) -> Iterator[Stages]:
    """``progress`` for an output that may be continued: reports what exists already."""
    from protonet.data.resumable import partial_path

    with progress(what) as bar:
        last: int | None = None
        said = False

        def watch(done: int, total: int) -> None:
            nonlocal last, said
            # Existing items are reported at once, new ones one by one.
            if not said and last is not None and done == last + 1:
                said = True
                if last:
                    note(f"continuing {partial_path(output)}: {last} of {total} {what} exist")
            last = done
            bar(done, total)

        yield Stages(what, lambda stage: watch if stage == what else bar.stage(stage))


@contextmanager
def checked_progress(what: str, output: Path) -> Iterator[tuple[Watch, Watch]]:
    """Two bars, the second one instead of the first: of ``what`` is checked, and of the images that
    are written.
    """
    with ExitStack() as shown:
        checking = shown.enter_context(progress(what))
        bar: Watch | None = None

        def writing(done: int, total: int) -> None:
            nonlocal bar
            if bar is None:
                shown.close()
                bar = shown.enter_context(resumable_progress("images", output))
            bar(done, total)

        yield checking, writing

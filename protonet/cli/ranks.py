"""Several ranks: ``--ranks``, and how errors end all of them."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from protonet.cli.terminal import complain, note
from protonet.jobs.tasks.failures import REPORTED, failure_of
from protonet.ranks.communicator import RESUMABLE, Communicator
from protonet.ranks.guard import guard, is_unguarded
from protonet.ranks.launch import launch, leave_sign
from protonet.ranks.mpi import communicator, number_of_ranks


@contextmanager
def ending_together(ranks: Communicator, remedy: str = RESUMABLE) -> Iterator[None]:
    """End all ranks when the block fails on one, with its message and exit code. ``remedy`` is what
    to do when the network failed.
    """
    from protonet.jobs.training import join

    leaving: click.exceptions.Exit | None = None
    with join.ending_together(ranks, tell, remedy):
        try:
            yield
        except click.exceptions.Exit as exit_:
            leaving = exit_
    if leaving is not None:
        raise leaving


def tell(error: BaseException, where: str) -> int:
    """Report an error; return the exit code."""
    if not isinstance(error, REPORTED):
        traceback.print_exception(error)
        return 1
    failure = failure_of(error)
    for message in failure.errors:
        complain(f"{where}{message}")
    for remark in failure.remarks:
        note(remark)
    return failure.code


def ranks_of(ctx: click.Context, wanted: int | None, effects: tuple[str, str]) -> Communicator:
    """``started_ranks``, on rank 0; on another rank, take part in its trainings and exit.

    ``effects`` are of the signals SIGINT and SIGHUP.
    """
    ranks = started_ranks(ctx, wanted)
    if ranks.alone:
        return ranks
    from protonet.jobs.training import join

    join.watch(ranks, tell)
    if ranks.rank:
        ctx.exit(join.take_part(ranks, tell, effects))
    return ranks


def started_ranks(ctx: click.Context, wanted: int | None, remedy: str = RESUMABLE) -> Communicator:
    """The ranks that this process was started with. Without any, start those ``wanted``, and exit
    as they do; ``remedy`` is what to do when one was killed.
    """
    if wanted is not None and wanted > 1 and number_of_ranks() == 1:
        ended = launch(wanted, [*_command(), *sys.argv[1:]], remedy)
        if ended.message:
            complain(ended.message)
        ctx.exit(ended.code)
    if ctx.find_root().obj and is_unguarded():  # this process does nothing else
        ctx.exit(guard([*_command(), *sys.argv[1:]], complain, remedy))
    ranks = communicator()
    leave_sign(ranks.rank)
    return ranks


def _command() -> list[str]:
    """The arguments of Python for this command."""
    called = Path(sys.argv[0])
    return [str(called)] if called.suffix != ".py" and called.exists() else ["-m", "protonet"]

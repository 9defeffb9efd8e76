"""Work on data that several ranks share: ``--ranks`` of conversions and of the mean image."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import click

from protonet.cli.options import C, Count
from protonet.cli.ranks import ending_together, started_ranks, tell
from protonet.ranks.pool import IN_TURN, Pool, serve

_AGAIN = "all ranks were stopped: the same command does what is left"


def ranks_option(command: C) -> C:
    """``--ranks``."""
    option = click.option(
        "--ranks",
        type=Count(1),
        metavar="N",
        help="Share the work out over N processes of this machine, with the same result. mpiexec "
        "or srun before the command does so over machines.",
    )
    return option(command)


@contextmanager
def shared_work(wanted: int | None) -> Iterator[Pool]:
    """The ranks that this process was started with, to do the work of the block; without any, start
    those ``wanted``, and exit as they do. Another rank than 0 works for that, and exits.
    """
    ctx = click.get_current_context()
    ranks = started_ranks(ctx, wanted, _AGAIN)
    if ranks.alone:
        yield IN_TURN
        return
    from protonet.jobs.training import join

    join.watch(ranks, tell, _AGAIN)
    with ending_together(ranks, _AGAIN):
        if ranks.rank:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # rank 0 ends all
            serve(ranks)
            ctx.exit(0)
        pool = Pool(ranks)
        yield pool
        pool.close()

"""Options of trainings on several ranks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from protonet.cli.options import C, with_options
from protonet.precision import PRECISIONS

_OPTIONS = (
    click.option(
        "--ranks",
        type=click.IntRange(1),
        metavar="N",
        help="Train with N processes on this machine, which share out every batch. On "
        "several machines: mpiexec or srun before the command. Default: one for each GPU of "
        "--device, else 1.",
    ),
    click.option(
        "--batch-per-rank",
        is_flag=True,
        help="With a solver file: each rank has the batch of the text, as with Caffe's -gpu 0,1. "
        "Default: they share it out.",
    ),
    click.option(
        "--sync-batch-norm",
        is_flag=True,
        help="On several ranks: BatchNorm takes the moments of the whole batch. Default: those of "
        "a rank's part, as in Caffe.",
    ),
    click.option(
        "--gradient-precision",
        type=click.Choice(PRECISIONS),
        help="On several ranks: type in which they send gradients, which are added up in float32. "
        "16 bits halve what is sent. Default: float32.",
    ),
)


def rank_options(command: C) -> C:
    """``--ranks`` and how ranks compute together."""
    decorated: Callable[..., Any] = with_options(command, _OPTIONS)
    return decorated  # type: ignore[return-value]  # click keeps what it takes

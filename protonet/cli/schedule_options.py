"""Options of the training schedule: length, intervals and learning rate."""

from __future__ import annotations

import click

from protonet.cli.options import C, Numbers, with_options
from protonet.jobs.run.bounds import POLICIES


class Policy(click.Choice[str]):
    """An ``lr_policy``: a built-in one, or one of an ``--import`` module."""

    def __init__(self) -> None:
        super().__init__(POLICIES)

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The policy, looked up in the registry if it is not built in."""
        if value not in POLICIES:
            from protonet.solvers.schedules import policy_names

            if value in policy_names():
                return value
        return super().convert(value, param, ctx)


_LENGTH = (
    click.option(
        "--epochs",
        type=float,
        metavar="X",
        help="Epochs of training. Default: 30. With --resume: the new length of a run of a "
        "NETWORK, finished or not.",
    ),
    click.option(
        "--max-iter",
        type=click.IntRange(1),
        metavar="N",
        help="With --resume: the new length of a run of a solver file.",
    ),
)


def length_options(command: C) -> C:
    """``--epochs`` and ``--max-iter``."""
    return with_options(command, _LENGTH)


_INTERVALS = (
    click.option(
        "--accumulate",
        "accumulation",
        type=click.IntRange(1),
        metavar="N",
        help="Gradient accumulation: batches per update. Default: 1.",
    ),
    click.option(
        "--snapshot-every",
        type=float,
        metavar="EPOCHS",
        help="Epochs between snapshots; 0: only at the end. Default: 1.",
    ),
    click.option(
        "--val-every",
        type=float,
        metavar="EPOCHS",
        help="Epochs between validations; 0: none. Default: 1.",
    ),
)


def interval_options(command: C) -> C:
    """``--accumulate``, ``--snapshot-every`` and ``--val-every``."""
    return with_options(command, _INTERVALS)


_RATES = (
    click.option(
        "--lr",
        "lrs",
        type=Numbers(float),
        metavar="X[,X...]",
        help="Base learning rate; several make a training each. Default: 0.01.",
    ),
    click.option(
        "--lr-policy",
        type=Policy(),
        help="Learning-rate policy. Default: multistep, or for a Lua NETWORK torch_sgd. Replaces "
        "that of a solver file.",
    ),
    click.option(
        "--gamma",
        type=float,
        metavar="X",
        help="Gamma of the policies step, multistep, exp, inv, sigmoid; for the last three per "
        "percent of the training.",
    ),
    click.option("--power", type=float, metavar="X", help="Power of the policies inv and poly."),
    click.option(
        "--step",
        "steps",
        metavar="PERCENT[,PERCENT...]",
        help="Steps of the policies step, multistep and sigmoid, in percent of the training. "
        "Default: 50,85 for multistep, 33 for step (as in DIGITS: the third drop is at 99), 50 "
        "for sigmoid.",
    ),
    click.option(
        "--warmup",
        type=click.IntRange(0),
        metavar="N",
        help="Warm-up iterations, in which the learning rate rises to --lr. Default: 0.",
    ),
    click.option(
        "--warmup-lr",
        type=float,
        metavar="X",
        help="Learning rate at the start of the warm-up. Default: 0.",
    ),
    click.option(
        "--min-lr", type=float, metavar="X", help="Minimum of the learning rate. Default: 0."
    ),
    click.option(
        "--learning-rate-decay",
        type=float,
        metavar="X",
        help="d in rate / (1 + d iteration), with every policy. Default: 0, for torch_sgd 1e-6.",
    ),
)


def rate_options(command: C) -> C:
    """``--lr`` and its schedule."""
    return with_options(command, _RATES)

"""The options that say how a training goes: how long, how often what, at which learning rate."""

from __future__ import annotations

import click

from protonet.cli.options import C, with_options

POLICIES = ("fixed", "step", "multistep", "exp", "inv", "poly", "sigmoid", "cosine")
"""What the help text names; modules of ``--import`` may add others."""


class Policy(click.Choice[str]):
    """An ``lr_policy``: one of ours, or of a module that ``--import`` names."""

    def __init__(self) -> None:
        super().__init__(POLICIES)

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The policy, looked up in the registry where it is none of ours."""
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
        help="Passes over the training data. Default: 30. With --resume: another length for a "
        "run of a NETWORK, finished or not.",
    ),
    click.option(
        "--max-iter",
        type=click.IntRange(1),
        metavar="N",
        help="With --resume: another length for a run of a solver file.",
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
        help="Batches that make one update together, as if one were N times as large. Default: 1.",
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
    click.option("--lr", type=float, metavar="X", help="Base learning rate. Default: 0.01."),
    click.option(
        "--lr-policy",
        type=Policy(),
        help="How the learning rate falls. Default: multistep. A solver file's own is replaced.",
    ),
    click.option(
        "--gamma",
        type=float,
        metavar="X",
        help="Factor of the policies step, multistep, exp, inv, sigmoid; of the last three for "
        "each percent of the training.",
    ),
    click.option("--power", type=float, metavar="X", help="Power of the policies inv and poly."),
    click.option(
        "--step",
        "steps",
        metavar="PERCENT[,PERCENT...]",
        help="Where the policies step, multistep and sigmoid change the rate, in percent of "
        "the training. Default: 50,85 of multistep, 33 of step (so DIGITS has it: the third "
        "drop is at 99), 50 of sigmoid.",
    ),
    click.option(
        "--warmup",
        type=click.IntRange(0),
        metavar="N",
        help="Iterations in which the learning rate rises to --lr at first. Default: 0.",
    ),
    click.option(
        "--warmup-lr", type=float, metavar="X", help="Where the warm-up begins. Default: 0."
    ),
    click.option(
        "--min-lr", type=float, metavar="X", help="Floor of the learning rate. Default: 0."
    ),
)


def rate_options(command: C) -> C:
    """``--lr`` and what changes it."""
    return with_options(command, _RATES)

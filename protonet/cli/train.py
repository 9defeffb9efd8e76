"""``protonet train``: train a network, resume a run, or follow one of Caffe's solver files."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from protonet.cli.interrupts import Interrupts
from protonet.cli.terminal import console, shows_bars
from protonet.errors import UsageError, nearest

if TYPE_CHECKING:
    from protonet.jobs.training import Outcome
    from protonet.train.events import Listener

_INTERRUPTED = 130
_POLICIES = ("fixed", "step", "multistep", "exp", "inv", "poly", "sigmoid")
_SOLVERS = ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")
_PATH = click.Path(path_type=Path)


@click.command(
    "train",
    cls=Exemplified,
    short_help="Train a network, or resume a run.",
    examples=[
        "protonet train net.prototxt --data train_images --labels train_labels",
        "protonet train net.prototxt --data train_db --val-data val_db --epochs 10 --lr 0.001",
        "protonet train net.prototxt --data train_db --lr-policy multistep --step 50,75",
        "protonet train net.prototxt --data train_db --solver Adam --device cuda:0",
        "cat net.prototxt | protonet train - --data train_db --out run",
        "protonet train --resume run",
        "protonet train --solver solver.prototxt",
    ],
)
@click.argument("network", metavar="[NETWORK]", required=False)
@click.option("--data", type=_PATH, help="LMDB of the training images.")
@click.option(
    "--labels",
    type=_PATH,
    help="LMDB of the training label vectors, paired with the images by key. Without it the "
    "labels are the class numbers that the images' records carry.",
)
@click.option("--val-data", type=_PATH, help="LMDB of the validation images.")
@click.option("--val-labels", type=_PATH, help="LMDB of the validation label vectors.")
@click.option(
    "--mean",
    help="Mean to take off the images: a .binaryproto file, or 'none'. By default it is computed "
    "from the training images.",
)
@click.option("--epochs", type=float, default=30, show_default=True, help="Passes over the data.")
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    help="Images in a batch. Default: what the network says, or else 16.",
)
@click.option("--lr", type=float, default=0.01, show_default=True, help="Base learning rate.")
@click.option(
    "--lr-policy",
    type=click.Choice(_POLICIES),
    default="step",
    show_default=True,
    help="How the learning rate falls.",
)
@click.option(
    "--gamma", type=float, help="Factor of the policies step, multistep, exp, inv, sigmoid."
)
@click.option("--power", type=float, help="Power of the policies inv and poly.")
@click.option(
    "--step",
    "steps",
    metavar="PERCENT[,PERCENT...]",
    help="Where the policies step, multistep and sigmoid change the rate, in percent of the "
    "training. Default: 33.",
)
@click.option(
    "--momentum", type=float, default=0.9, show_default=True, help="Momentum of the solver."
)
@click.option("--weight-decay", type=float, help="Weight decay. Default: the learning rate / 100.")
@click.option(
    "--solver",
    metavar="TYPE|FILE",
    help=f"Update rule: {', '.join(_SOLVERS)}. Default: SGD. Without NETWORK: Caffe's "
    "solver.prototxt to follow, which names its net and data itself.",
)
@click.option("--seed", type=click.IntRange(0), help="Seed of all random numbers. Default: 0.")
@click.option("--shuffle", is_flag=True, help="Draw the training data in a new order each epoch.")
@click.option("--device", default="cpu", show_default=True, help="cpu or cuda:N.")
@click.option("--out", type=_PATH, help="The run directory to make. Default: runs/NAME-TIME.")
@click.option("--resume", type=_PATH, metavar="RUN", help="Go on with this run directory.")
@click.option("--quiet", is_flag=True, help="Print nothing but where the results are.")
@click.option("--verbose", is_flag=True, help="Print Caffe's log lines on a terminal too.")
@click.pass_context
def command(ctx: click.Context, network: str | None, **options: Any) -> None:
    """Train the network in the prototxt file NETWORK; '-' reads it from standard input.

    NETWORK needs no data layers: they are made from --data and --labels. It may bring its own;
    then their source is filled in and the rest is kept. The results go to a new run directory:
    the texts, the mean, snapshots, metrics.jsonl, train.log and loss.png.

    On a terminal a bar shows the progress; otherwise the lines of Caffe's log are printed.
    Ctrl-C takes a snapshot and stops; --resume goes on from there, or from the newest snapshot
    of a run that was killed.
    """

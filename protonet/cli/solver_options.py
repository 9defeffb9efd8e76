"""Options of the update rule."""

from __future__ import annotations

import click

from protonet.cli.options import C, with_options
from protonet.jobs.run.bounds import REGULARIZATIONS, SOLVERS

_RULE = (
    click.option(
        "--solver",
        "-solver",
        metavar="TYPE|FILE",
        help=f"Update rule: {', '.join(SOLVERS)}. Default: SGD. For a Lua NETWORK, those of "
        "Torch7's optim: sgd, nag, adam, adagrad, rmsprop, adadelta. Without NETWORK: Caffe's "
        "solver.prototxt, with its net and data.",
    ),
    click.option(
        "--momentum",
        type=float,
        metavar="X",
        help="Momentum of the solver, Adam's beta1 and AdaDelta's rho. Default: 0.9.",
    ),
    click.option(
        "--momentum2",
        "--beta2",
        "momentum2",
        type=float,
        metavar="X",
        help="Adam's and AdamW's beta2. Default: 0.999.",
    ),
    click.option("--rms-decay", type=float, metavar="X", help="RMSProp's decay. Default: 0.99."),
    click.option(
        "--delta",
        type=float,
        metavar="X",
        help="What AdaGrad, RMSProp, AdaDelta, Adam and AdamW add to a divisor. Default: 1e-8, or "
        "as Torch7's optim for a Lua NETWORK.",
    ),
    click.option(
        "--dampening",
        type=float,
        metavar="X",
        help="Of a Lua NETWORK with sgd: the share of a gradient that does not enter the momentum. "
        "Default: the momentum.",
    ),
    click.option(
        "--weight-decay",
        type=float,
        metavar="X",
        help="Weight decay. Default: the learning rate / 100, or for a Lua NETWORK 1e-4.",
    ),
    click.option(
        "--regularization",
        type=click.Choice(REGULARIZATIONS),
        help="What the weight decay is the gradient of. Default: L2.",
    ),
    click.option(
        "--clip-gradients",
        type=float,
        metavar="X",
        help="Maximum of the L2 norm of all gradients; larger ones are scaled down. Default: none.",
    ),
)


def solver_options(command: C) -> C:
    """``--solver`` and its constants."""
    return with_options(command, _RULE)

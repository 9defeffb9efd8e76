"""The options that say how layers are computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from protonet.precision import PRECISIONS

C = TypeVar("C", bound=Callable[..., Any])


def no_fuse_option(command: C) -> C:
    """Give a command the option ``--no-fuse``."""
    option = click.option(
        "--no-fuse",
        is_flag=True,
        help="Compute every layer alone, where else some compute those behind them: a convolution "
        "its ReLU, a BatchNorm its Scale.",
    )
    return option(command)


def precision_option(command: C) -> C:
    """Give a command the option ``--precision``."""
    option = click.option(
        "--precision",
        type=click.Choice(PRECISIONS),
        help="What blobs and their gradients are kept in, where 16 bits do no harm; weights and "
        "sums stay float32. bfloat16 has the range of float32; float16 has three more binary "
        "places, and its loss is scaled. Default: float32.",
    )
    return option(command)


def tf32_option(command: C) -> C:
    """Give a command the option ``--tf32``."""
    option = click.option(
        "--tf32",
        is_flag=True,
        help="On a GPU: round the factors of convolutions and inner products to 10 bits, which is "
        "faster on Ampere and later. Default: float32.",
    )
    return option(command)

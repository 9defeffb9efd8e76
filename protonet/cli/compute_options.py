"""Options for how layers are computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from protonet.precision import PRECISIONS

C = TypeVar("C", bound=Callable[..., Any])


def no_fuse_option(command: C) -> C:
    """``--no-fuse``."""
    option = click.option(
        "--no-fuse",
        is_flag=True,
        help="Do not fuse layers, such as a convolution with its ReLU, a BatchNorm with its Scale.",
    )
    return option(command)


def precision_option(command: C) -> C:
    """``--precision``."""
    option = click.option(
        "--precision",
        type=click.Choice(PRECISIONS),
        help="Mixed precision: type of blobs and their gradients where 16 bits suffice; weights "
        "and sums stay float32. bfloat16 has the range of float32; float16 has three more bits of "
        "mantissa, and uses loss scaling. Default: float32.",
    )
    return option(command)


def tf32_option(command: C) -> C:
    """``--tf32``."""
    option = click.option(
        "--tf32",
        is_flag=True,
        help="On a GPU: allow TF32 (10 bits of mantissa) in convolutions and inner products, "
        "which is faster on Ampere and later. Default: float32.",
    )
    return option(command)

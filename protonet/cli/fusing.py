"""The option that has every layer computed alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

C = TypeVar("C", bound=Callable[..., Any])


def takes_no_fuse(command: C) -> C:
    """Give a command the option ``--no-fuse``."""
    option = click.option(
        "--no-fuse",
        is_flag=True,
        help="Compute every layer alone, where else some compute those behind them: a convolution "
        "its ReLU, a BatchNorm its Scale.",
    )
    return option(command)

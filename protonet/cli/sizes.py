"""Options that take an amount of memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

C = TypeVar("C", bound=Callable[..., Any])


def byte_size(text: str) -> int:
    """The bytes of a text such as ``8GiB`` or ``500MB``."""
    from protonet.sizes import parse_byte_count

    try:
        return parse_byte_count(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def memory_limit_option(command: C) -> C:
    """``--memory-limit``."""
    option = click.option(
        "--memory-limit",
        type=byte_size,
        metavar="SIZE",
        help="Memory limit, such as 8GiB or 500MB: what needs more is refused before it begins, "
        "with a batch size that fits.",
    )
    return option(command)

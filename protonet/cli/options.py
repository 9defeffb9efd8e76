"""Options shared by several commands, and grouping of options into values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

import click

C = TypeVar("C", bound=Callable[..., Any])


def with_options(command: C, options: Sequence[Callable[[C], C]]) -> C:
    """The command with the options, or arguments, in this order."""
    for option in reversed(options):
        command = option(command)
    return command


def gathered(command: C, into: str, make: Callable[..., object], names: Sequence[str]) -> Any:
    """The command with one argument ``into`` made from the options of these names."""

    @wraps(command)
    def gathering(**given: Any) -> Any:
        values = {name: given.pop(name) for name in names}
        return command(**{into: make(**values)}, **given)

    return gathering


def snapshot_option(what: str) -> Callable[[C], C]:
    """``--snapshot``; its help begins with ``what``."""
    return click.option(
        "--snapshot",
        metavar="N|best|last",
        default="last",
        show_default=True,
        help=f"{what}: those of iteration N, with the best validation, or the last.",
    )

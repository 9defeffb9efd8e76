"""Options shared by several commands, and grouping of options into values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

import click

C = TypeVar("C", bound=Callable[..., Any])

_LARGEST = 2**31 - 1


class Int32(click.IntRange):
    """Whole numbers as Caffe's messages have them, of 32 bits; help shows the given range only."""

    def __init__(self, least: int | None = None, most: int | None = None) -> None:
        super().__init__(least, most)
        if least is None and most is None:
            self.name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number.

        Raises:
            click.BadParameter: for what is none, or out of range.
        """
        number: int = super().convert(value, param, ctx)
        if abs(number) > _LARGEST:
            self.fail(f"{number} is not in the range of {-_LARGEST} to {_LARGEST}.", param, ctx)
        return number


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

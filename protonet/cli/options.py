"""Options shared by several commands, and grouping of options into values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

import click

C = TypeVar("C", bound=Callable[..., Any])

LARGEST = 2**31 - 1
"""Of numbers of 32 bits."""


class _Within32Bits(click.ParamType):
    """Refuses numbers that Caffe's messages cannot hold, whatever range the help shows."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number.

        Raises:
            click.BadParameter: for what is none, or out of range.
        """
        number = super().convert(value, param, ctx)
        if abs(number) > LARGEST:
            self.fail(f"{number} is not in the range of {-LARGEST} to {LARGEST}.", param, ctx)
        return number


class Int32(_Within32Bits, click.types.IntParamType):
    """A number of 32 bits, such as a level."""


class Count(_Within32Bits, click.IntRange):
    """A number of 32 bits in a range: ``Count(1)`` is 1 or more."""


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

"""Options shared by several commands, and grouping of options into values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

import click

C = TypeVar("C", bound=Callable[..., Any])

LARGEST = 2**31 - 1
"""Of numbers of 32 bits."""


class Int32(click.types.IntParamType):
    """A number of 32 bits, such as a level."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; ``click.BadParameter`` for what is none, or out of range."""
        return _within_32_bits(self, super().convert(value, param, ctx), param, ctx)


class Count(click.IntRange):
    """A number of 32 bits in a range, which the help shows: ``Count(1)`` is 1 or more."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; ``click.BadParameter`` for what is none, or out of range."""
        return _within_32_bits(self, super().convert(value, param, ctx), param, ctx)


class Fraction(click.FloatRange):
    """A number in a range, which NaN is not, though it is neither below nor above."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number; ``click.BadParameter`` for what is none, or out of range."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return number


class Numbers(click.types.StringParamType):
    """Numbers with commas between them, as a tuple."""

    name = "numbers"

    def __init__(self, kind: type[int] | type[float]) -> None:
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The numbers; ``click.BadParameter`` for anything else."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(self._kind(part) for part in value.split(","))
        except ValueError:
            what = "a whole number" if self._kind is int else "a number"
            self.fail(
                f"expected {what}, or several with commas between them, got '{value}'", param, ctx
            )


def _within_32_bits(
    kind: Int32 | Count, number: int, param: click.Parameter | None, ctx: click.Context | None
) -> int:
    """The number, where Caffe's messages can hold it."""
    if abs(number) > LARGEST:
        kind.fail(f"{number} is not in the range of {-LARGEST} to {LARGEST}.", param, ctx)
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

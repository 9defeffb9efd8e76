"""The arguments of constructors, checked: each check returns the value, or the default for nil."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from inspect import Parameter, signature
from typing import Any

from protonet.errors import LayerError

_MOST = 2**53
"""The largest whole number up to which Lua has all."""
_MOST_ELEMENTS = 2**40


def real(name: str, value: Any, default: float | None = None) -> float:
    """A number.

    Raises:
        LayerError: for something else; names the argument.
    """
    given = default if value is None else value
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise LayerError(f"{name} must be a number, got {_shown(given)}")
    return given


def whole(name: str, value: Any, default: int | None = None, least: int | None = None) -> int:
    """A whole number, of at least ``least``."""
    given = real(name, value, default)
    if not math.isfinite(given) or given != int(given):
        raise LayerError(f"{name} must be a whole number, got {given:g}")
    if abs(given) > _MOST:
        raise LayerError(f"{name} is too large: {given:g}")
    if least is not None and given < least:
        raise LayerError(f"{name} must be {least} or more, got {given:g}")
    return int(given)


def elements(shape: Sequence[int]) -> int:
    """The number of elements of a new tensor.

    Raises:
        LayerError: for more than any memory holds.
    """
    count = math.prod(shape)
    if count > _MOST_ELEMENTS:
        raise LayerError(f"a tensor of {'x'.join(map(str, shape))} is too large")
    return count


def flag(name: str, value: Any, default: bool = False) -> bool:
    """True or false."""
    given = default if value is None else value
    if not isinstance(given, bool):
        raise LayerError(f"{name} must be true or false, got {_shown(given)}")
    return given


def fitted(typename: str, function: Callable[..., Any], arguments: Sequence[Any]) -> Sequence[Any]:
    """The arguments that a function takes: as in Lua, more than that are dropped.

    Raises:
        LayerError: when one that it needs is missing or nil.
    """
    parameters = list(signature(function).parameters.values())
    if any(each.kind is Parameter.VAR_POSITIONAL for each in parameters):
        return arguments
    for place, each in enumerate(parameters):
        given = arguments[place] if place < len(arguments) else None
        if given is None and each.default is Parameter.empty:
            raise LayerError(f"{typename}: argument {place + 1}, {each.name}, is nil")
    return arguments[: len(parameters)]


def _shown(value: Any) -> str:
    return "nil" if value is None else str(value)

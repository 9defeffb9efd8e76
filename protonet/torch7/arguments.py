"""The arguments of constructors, checked: each check returns the value, or the default for nil."""

from __future__ import annotations

import math
from typing import Any

from protonet.errors import LayerError


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
    if least is not None and given < least:
        raise LayerError(f"{name} must be {least} or more, got {given:g}")
    return int(given)


def flag(name: str, value: Any, default: bool = False) -> bool:
    """True or false."""
    given = default if value is None else value
    if not isinstance(given, bool):
        raise LayerError(f"{name} must be true or false, got {_shown(given)}")
    return given


def _shown(value: Any) -> str:
    return "nil" if value is None else str(value)

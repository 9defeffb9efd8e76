"""Whether a callback of NiceGUI takes an argument, looked up once for each method.

NiceGUI asks it of three methods of each new element, by inspecting their signatures, which takes
more than a quarter of the time that a page needs (NiceGUI 3.18: 0.75 of 2.6 s for 30 pages).
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

from nicegui import helpers


def remember_signatures() -> None:
    """Let NiceGUI remember what it has found out about methods."""
    inspect = helpers.expects_arguments
    known: dict[Any, bool] = {}

    def expects_arguments(func: Callable[..., Any]) -> bool:
        method = func.__func__ if isinstance(func, MethodType) else None
        if not isinstance(method, FunctionType) or "<locals>" in method.__qualname__:
            return inspect(func)  # functions that are made anew would be kept forever
        found = known.get(method)
        if found is None:
            found = known[method] = inspect(func)
        return found

    if inspect.__module__ != __name__:
        helpers.expects_arguments = expects_arguments

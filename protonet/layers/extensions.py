"""Modules of users: found by name, imported with errors that say what went wrong."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType

from protonet.errors import UsageError


def import_module(name: str, folder: Path | None = None) -> ModuleType:
    """The module ``name``, or of a file ``name.py``; found in the working directory, in
    ``folder``, and where Python looks.

    Raises:
        UsageError: naming the module, what it raised and where.
    """
    path = Path(name)
    is_file = path.suffix == ".py"
    places = [path.parent] if is_file else [Path.cwd(), *([folder] if folder else [])]
    found = [str(place.resolve()) for place in places]
    sys.path[:0] = found
    try:
        return importlib.import_module(path.stem if is_file else name)
    except Exception as error:
        raise UsageError(
            f"module '{name}' cannot be imported: {describe_exception(error)}"
        ) from error
    finally:
        for place in found:
            sys.path.remove(place)


RAISES_AS_IS: ContextVar[bool] = ContextVar("RAISES_AS_IS", default=False)
"""Whether layers that are set up now let through what a user's code raises, for code that knows
its own errors; else they name it as a mistake of the net.
"""


@contextmanager
def raising_as_is() -> Iterator[None]:
    """Layers that are set up inside the block let through what a user's code raises, always."""
    token = RAISES_AS_IS.set(True)
    try:
        yield
    finally:
        RAISES_AS_IS.reset(token)


def describe_exception(error: Exception) -> str:
    """What a user's code raised, and where: ``ValueError: bad (mine.py:12)``."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, ModuleNotFoundError) and error.name == "caffe":
        text += "; write `import protonet.pycaffe as caffe`"
    if last is None or "importlib" in last.filename:
        return text
    return f"{text} ({last.filename}:{last.lineno})"

"""Import of users' modules by name, with errors that name the exception and its line."""

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
    """Import the module ``name``, or the file ``name.py``, from the working directory, ``folder``
    or Python's path.

    Raises:
        UsageError: with the module's name, the exception and its line.
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
"""Whether layers that are set up now pass on exceptions of a user's code unchanged, for callers
that handle them; else they raise a LayerError.
"""


@contextmanager
def raising_as_is() -> Iterator[None]:
    """Layers that are set up in this block always pass on exceptions of a user's code unchanged."""
    token = RAISES_AS_IS.set(True)
    try:
        yield
    finally:
        RAISES_AS_IS.reset(token)


def describe_exception(error: Exception) -> str:
    """The exception of a user's code and its line: ``ValueError: bad (mine.py:12)``."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, ModuleNotFoundError) and error.name == "caffe":
        text += "; write `import protonet.pycaffe as caffe`"
    if last is None or "importlib" in last.filename:
        return text
    return f"{text} ({last.filename}:{last.lineno})"

"""Modules of users: found by name, imported with errors that say what went wrong."""

from __future__ import annotations

import importlib
import sys
import traceback
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
        raise UsageError(f"module '{name}' cannot be imported: {told(error)}") from error
    finally:
        for place in found:
            sys.path.remove(place)


def told(error: Exception) -> str:
    """What a user's code raised, and where: ``ValueError: bad (mine.py:12)``."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, ModuleNotFoundError) and error.name == "caffe":
        text += "; write `import protonet.pycaffe as caffe`"
    if last is None or "importlib" in last.filename:
        return text
    return f"{text} ({last.filename}:{last.lineno})"

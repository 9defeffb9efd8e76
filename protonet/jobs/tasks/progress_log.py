"""Lines about work that takes long, for whoever reads a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

_LINE_SECONDS = 5.0
"""How often work that takes long is told of where there is no bar."""


def log_progress(what: str) -> Callable[[int, int], None]:
    """Tells on standard error of work that takes longer than some seconds."""
    told = time.monotonic()

    def watch(done: int, total: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= _LINE_SECONDS:
            told = now
            print(f"{done} of {total} {what}", file=sys.stderr)

    return watch

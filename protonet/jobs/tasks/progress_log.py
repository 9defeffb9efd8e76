"""Progress of long work as lines of a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

_LINE_SECONDS = 5.0
"""Seconds between lines."""


def log_progress(what: str) -> Callable[[int, int], None]:
    """A callback that logs progress to standard error if the work takes longer than this."""
    told = time.monotonic()

    def watch(done: int, total: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= _LINE_SECONDS:
            told = now
            print(f"{done} of {total} {what}", file=sys.stderr)

    return watch

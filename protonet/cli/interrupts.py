"""Ctrl-C while a net trains: the first one stops in good order, the second one at once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

INTERRUPTED = 130
"""The exit code of a program that SIGINT ended, as shells give it."""

_STOPPING = (
    "\nstopping after this iteration, with a snapshot to resume from; Ctrl-C again aborts at once\n"
)


class Interrupts:
    """While the block runs, the first SIGINT calls what ``watch`` was given.

    Before there is something to stop, and from the second time on, SIGINT raises
    KeyboardInterrupt as usual.
    """

    def __init__(self) -> None:
        self._stop: Callable[[], None] | None = None
        self._former: Callable[[int, FrameType | None], object] | int | None = None

    def watch(self, stop: Callable[[], None]) -> None:
        """From now on a SIGINT calls ``stop``, which must be safe in a signal handler."""
        self._stop = stop

    def __enter__(self) -> Self:
        self._former = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.signal(signal.SIGINT, self._former)

    def _handle(self, _: int, __: FrameType | None) -> None:
        if self._stop is None:
            raise KeyboardInterrupt
        stop, self._stop = self._stop, None
        # The handler may have broken into a write to the same stream, which Python's buffered
        # streams refuse; the system call takes part in no buffer.
        os.write(sys.stderr.fileno(), _STOPPING.encode())
        stop()

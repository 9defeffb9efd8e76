"""Signals during training: Ctrl-C stops gracefully, a second one at once; SIGHUP, such as from a
closed terminal, takes a snapshot.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Protocol, Self

INTERRUPTED = 130
"""The exit code of shells for a program ended by SIGINT."""

EFFECTS = ("stop", "snapshot", "none")

_STOPPING = (
    "\nstopping after this iteration, with a snapshot to resume from; Ctrl-C again aborts at once\n"
)
_SNAPSHOT = "\ntaking a snapshot after this iteration\n"


class Training(Protocol):
    """A training that signals control; both methods are safe in a signal handler."""

    def stop(self) -> None:
        """Stop after this iteration, with a snapshot."""

    def request_snapshot(self) -> None:
        """Take a snapshot after this iteration."""


class Interrupts:
    """In the block, signals control the training that was passed to ``watch``.

    Args:
        sigint, sighup: what they do: "stop", "snapshot" or "none", as Caffe's flags say.
        silent: print nothing: another rank does.

    Before a training has begun, SIGINT raises KeyboardInterrupt as usual; also after it has stopped
    one.
    """

    def __init__(
        self, sigint: str = "stop", sighup: str = "snapshot", *, silent: bool = False
    ) -> None:
        self._silent = silent
        self._effects = {signal.SIGINT: sigint, signal.SIGHUP: sighup}
        self._training: Training | None = None
        self._stopping = False
        self._former: dict[
            signal.Signals, Callable[[int, FrameType | None], object] | int | None
        ] = {}

    def watch(self, training: Training) -> None:
        """Control this training from now on."""
        self._training = training

    def __enter__(self) -> Self:
        self._former = {each: signal.signal(each, self._handle) for each in self._effects}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each, former in self._former.items():
            signal.signal(each, former)

    def _handle(self, number: int, _: FrameType | None) -> None:
        which = signal.Signals(number)
        effect = self._effects[which]
        if which == signal.SIGINT and (self._training is None or self._stopping):
            raise KeyboardInterrupt
        if self._training is None or effect == "none" or self._stopping:
            return
        if effect == "snapshot":
            self._tell(_SNAPSHOT)
            self._training.request_snapshot()
            return
        self._stopping = True
        self._tell(_STOPPING)
        self._training.stop()

    def _tell(self, message: str) -> None:
        if not self._silent:
            # The handler may interrupt a write to the same stream, and Python's buffered streams
            # are not reentrant; the system call bypasses the buffer.
            os.write(sys.stderr.fileno(), message.encode())

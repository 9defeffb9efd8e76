"""Signals while a net trains: Ctrl-C stops in good order, a second one at once; a hang-up, such as
a terminal that is closed, takes a snapshot.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Protocol, Self

INTERRUPTED = 130
"""The exit code of a program that SIGINT ended, as shells give it."""

EFFECTS = ("stop", "snapshot", "none")

_STOPPING = (
    "\nstopping after this iteration, with a snapshot to resume from; Ctrl-C again aborts at once\n"
)
_SNAPSHOT = "\ntaking a snapshot after this iteration\n"


class Training(Protocol):
    """What signals act on; both are safe in a signal handler."""

    def stop(self) -> None:
        """End after this iteration, with a snapshot."""

    def request_snapshot(self) -> None:
        """Take a snapshot after this iteration."""


class Interrupts:
    """While the block runs, signals have their effects on the training that ``watch`` was given.

    Args:
        sigint, sighup: what they do: "stop", "snapshot" or "none", as Caffe's flags say.

    Before there is a training, SIGINT raises KeyboardInterrupt as usual; so it does once it has
    stopped a training.
    """

    def __init__(self, sigint: str = "stop", sighup: str = "snapshot") -> None:
        self._effects = {signal.SIGINT: sigint, signal.SIGHUP: sighup}
        self._training: Training | None = None
        self._stopping = False
        self._former: dict[
            signal.Signals, Callable[[int, FrameType | None], object] | int | None
        ] = {}

    def watch(self, training: Training) -> None:
        """From now on signals act on this training."""
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
        # The handler may have broken into a write to the same stream, which Python's buffered
        # streams refuse; the system call takes part in no buffer.
        if effect == "snapshot":
            os.write(sys.stderr.fileno(), _SNAPSHOT.encode())
            self._training.request_snapshot()
            return
        self._stopping = True
        os.write(sys.stderr.fileno(), _STOPPING.encode())
        self._training.stop()

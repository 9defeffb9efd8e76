"""Caffe's log lines, so that scripts which parse Caffe's output read ours.

Source: a log of Caffe 1.0. Each line names the source file and line of Caffe that would have
written it, because log parsers look for them; what Caffe has no line for names us.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import TextIO

from protonet.formats.atomic import appending
from protonet.train.events import (
    Concluded,
    Event,
    Failed,
    Inspected,
    Iterated,
    Output,
    Snapshotted,
    Started,
    Stopped,
    Tested,
    Warned,
)

_SOLVING = "solver.cpp:289"
_POLICY = "solver.cpp:290"
_STOPPED_EARLY = "solver.cpp:311"
_CONCLUDED = "solver.cpp:327"
_DONE = "solver.cpp:332"
_TOOL_DONE = "caffe.cpp:250"
_DISPLAY = "solver.cpp:239"
_TRAIN_OUTPUT = "solver.cpp:258"
_TESTING = "solver.cpp:347"
_TEST_LOSS = "solver.cpp:401"
_TEST_OUTPUT = "solver.cpp:414"
_RATE = "sgd_solver.cpp:112"
# Caffe prints these from several places of one file; readers look at the text.
_INSPECTED = "net.cpp:593"
_OURS = "protonet:0"
_MODEL = {False: ("solver.cpp:464", "binary proto"), True: ("solver.cpp:474", "HDF5")}
_STATE = {False: ("sgd_solver.cpp:284", "binary proto"), True: ("sgd_solver.cpp:294", "HDF5")}


class CaffeLog:
    """Writes each event as the lines that Caffe would log for it.

    Args:
        target: a text stream, which stays open, or the path of a file to append to, which is
            open from ``Started`` to ``Stopped`` or ``Failed``.
        now: returns the local time, for timestamps.
    """

    def __init__(
        self, target: TextIO | Path, *, now: Callable[[], datetime] = datetime.now
    ) -> None:
        self._path = target if isinstance(target, Path) else None
        self._stream = None if isinstance(target, Path) else target
        self._now = now
        self._pid = os.getpid()

    def __call__(self, event: Event) -> None:
        """Write the lines of ``event``, if Caffe would log any."""
        lines = _lines(event)
        if not lines:
            return
        if self._stream is None or self._stream.closed:
            assert self._path is not None
            self._stream = self._path.open("a", encoding="utf-8")
        severity = "E" if isinstance(event, Failed) else "W" if isinstance(event, Warned) else "I"
        stamp = f"{severity}{self._now():%m%d %H:%M:%S.%f} {self._pid} "
        output = "".join(f"{stamp}{place}] {text}\n" for place, text in lines)
        with nullcontext() if self._path is None else appending(self._path, self._stream):
            self._stream.write(output)
            self._stream.flush()
        if isinstance(event, Stopped | Failed):
            self.close()

    def close(self) -> None:
        """Close the log file, if any; a later event reopens it."""
        if self._path is not None and self._stream is not None:
            self._stream.close()
            self._stream = None


def number(value: float) -> str:
    """``value`` as printed by a C++ stream: six significant digits, no trailing zeros."""
    return f"{value:g}"


def _lines(event: Event) -> list[tuple[str, str]]:
    """The (source position, text) of each line of ``event``."""
    match event:
        case Started():
            policy = [(_POLICY, f"Learning Rate Policy: {event.policy}")] if event.policy else []
            shared = [] if event.sharing is None else [(_OURS, event.sharing.text)]
            return [(_SOLVING, f"Solving {event.net}"), *policy, *shared]
        case Iterated():
            return _displayed(event)
        case Warned():
            return [(_OURS, event.message)]
        case Inspected():
            return [(_INSPECTED, line) for line in event.lines]
        case Tested():
            title = f"Iteration {event.iteration}, Testing net (#{event.net})"
            loss = [] if event.loss is None else [(_TEST_LOSS, f"Test loss: {number(event.loss)}")]
            return [(_TESTING, title), *loss, *_outputs(_TEST_OUTPUT, "Test", event.outputs)]
        case Snapshotted():
            place, kind = _MODEL[event.model.suffix == ".h5"]
            state_place, state_kind = _STATE[event.state.suffix == ".h5"]
            return [
                (place, f"Snapshotting to {kind} file {event.model}"),
                (state_place, f"Snapshotting solver state to {state_kind} file {event.state}"),
            ]
        case Concluded():
            return [(_CONCLUDED, f"Iteration {event.iteration}, loss = {number(event.loss)}")]
        case Stopped(interrupted=True):
            return [(_STOPPED_EARLY, "Optimization stopped early.")]
        case Stopped():
            return [(_DONE, "Optimization Done."), (_TOOL_DONE, "Optimization Done.")]
        case Failed():
            return [(_OURS, line) for line in event.message.splitlines()]
        case _:
            return []


def _displayed(event: Iterated) -> list[tuple[str, str]]:
    speed = event.iterations / event.seconds if event.seconds > 0 else 0.0
    title = (
        f"Iteration {event.iteration} ({number(speed)} iter/s, "
        f"{number(event.seconds)}s/{event.iterations} iters), loss = {number(event.loss)}"
    )
    speeds = []
    if event.sharing is not None:
        told = f"{number(event.images_per_second)} images/s on {event.sharing.ranks} ranks"
        speeds.append((_OURS, f"Iteration {event.iteration}, {told}"))
    return [
        (_DISPLAY, title),
        *speeds,
        *_outputs(_TRAIN_OUTPUT, "Train", event.outputs),
        (_RATE, f"Iteration {event.iteration}, lr = {number(event.rate)}"),
    ]


def _outputs(place: str, net: str, outputs: Sequence[Output]) -> list[tuple[str, str]]:
    lines = []
    for index, output in enumerate(outputs):
        text = f"    {net} net output #{index}: {output.name} = {number(output.value)}"
        if output.loss_weight != 0:
            weighted = number(output.loss_weight * output.value)
            text += f" (* {number(output.loss_weight)} = {weighted} loss)"
        lines.append((place, text))
    return lines

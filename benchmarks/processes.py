"""The processes of the sides, and rounds that alternate between them."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from machine import THREADS, busy_seconds, clean_environment
from settings import Setting

_WORKER = Path(__file__).with_name("worker.py")
_ENGINE_WORKER = Path(__file__).with_name("engine_worker.py")
_LOADER_WORKER = Path(__file__).with_name("loader_worker.py")
_REST = 0.05
"""Seconds before a side's turn: threads of the other that still spin go to sleep meanwhile."""
_ATTEMPTS = 4
"""To measure a turn in which nothing else runs."""
_OTHERS = 0.04
"""The share of the cores that other processes may take meanwhile."""
_TICKS = 0.02
"""And seconds of theirs: the system counts by hundredths."""
_LONG = 1.5
"""Seconds of a turn that is not repeated."""


class Asked(Protocol):
    """What can be asked to run its job."""

    def ask(self, request: str, **arguments: Any) -> Any:
        """Send a request and wait for the reply."""


class Asker(Asked, Protocol):
    """A side that is checked."""

    setting: Setting


class Process:
    """A process that answers requests: a line of JSON each."""

    def __init__(self, name: str, *command: str, python: str = sys.executable) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [python, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=clean_environment(),
        )

    def ask(self, request: str, **arguments: Any) -> Any:
        """Send a request to the process and wait for its reply."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([request, arguments]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the process of '{self.name}' ended at {request} {arguments}")
        return json.loads(answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()


class Side(Process):
    """A process of one side: ``protonet`` or ``pytorch``."""

    def __init__(self, name: str, setting: Setting) -> None:
        super().__init__(name, str(_WORKER), name, json.dumps(setting.words()))
        self.setting = setting


class Refusing(Process):
    """A process that may refuse a request, with a reason."""

    def ask(self, request: str, **arguments: Any) -> Any:
        """Send a request and wait for its reply; RuntimeError with what the process says."""
        answer = super().ask(request, **arguments)
        if isinstance(answer, dict):
            raise RuntimeError(answer["error"])
        return answer


class Engine(Refusing):
    """A process of one engine, or of protonet as one."""

    def __init__(self, name: str, precision: str) -> None:
        super().__init__(name, str(_ENGINE_WORKER), name, precision)

    def ask(self, request: str, **arguments: Any) -> Any:
        """A run is repeated, some times, while other processes take a share of the cores."""
        tried: list[tuple[float, float]] = []
        for _ in range(_ATTEMPTS):
            before = busy_seconds()
            answer = super().ask(request, **arguments)
            if request != "run":
                return answer
            took, used = answer
            others = busy_seconds() - before - used
            tried.append((others / took, took))
            if others < _OTHERS * THREADS * took + _TICKS or took > _LONG:
                break
        return min(tried)[1]


class Loader(Refusing):
    """A process of one input pipeline: see ``loader_worker.py``."""

    def __init__(self, name: str, folder: Path, python: str) -> None:
        super().__init__(name, str(_LOADER_WORKER), name, str(folder), python=python)


def iterations_in(side: Asked, seconds: float) -> int:
    """How many iterations of a side's job take so long; at least one. Warms up."""
    side.ask("run", iterations=1)
    count, took = 1, side.ask("run", iterations=1)
    while took < seconds / 4:
        count *= 4
        took = side.ask("run", iterations=count)
    return max(1, math.ceil(seconds * count / took))


def alternate(sides: Mapping[str, Asked], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Seconds per iteration of each side's job, a number for each round.

    Every round has a turn of each side, of about ``seconds``; who begins alternates.
    """
    counts = {name: iterations_in(side, seconds) for name, side in sides.items()}
    found: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in list(sides)[:: 1 if number % 2 == 0 else -1]:
            time.sleep(_REST)
            took = sides[name].ask("run", iterations=counts[name])
            found[name].append(took / counts[name])
    return found

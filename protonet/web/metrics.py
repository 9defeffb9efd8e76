"""Incremental reading of metrics.jsonl, into columns of numbers."""

from __future__ import annotations

import json
import math
import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_FILES = 64
"""Number of cached files."""
_SHOWN = ("iteration", "epoch", "loss", "lr", "seconds", "iterations", "memory")
_TESTED = ("iteration", "epoch", "loss")


class Columns:
    """Rows of numbers by name: 8 bytes each, so that long trainings fit. Absent ones are NaN."""

    def __init__(self) -> None:
        self.rows = 0
        self._values: dict[str, array[float]] = {}

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row; new names get a column that is NaN in the rows before."""
        numbers = {name: math.nan if v is None else float(v) for name, v in row.items()}
        for name in numbers:
            if name not in self._values:
                self._values[name] = array("d", [math.nan]) * self.rows
        for name, column in self._values.items():
            column.append(numbers.get(name, math.nan))
        self.rows += 1

    def names(self) -> list[str]:
        """The names of the columns, in the order in which they came."""
        return list(self._values)

    def of(self, name: str) -> npt.NDArray[np.float64]:
        """A copy of a column; empty if there is none of this name."""
        return np.array(self._values.get(name, ()), np.float64)

    def last(self, name: str, rows: int = 1) -> list[float]:
        """The last values of a column."""
        return list(self._values[name][-rows:]) if name in self._values else []


@dataclass
class Metrics:
    """The lines of a metrics file.

    ``shown`` are the displays of the training, ``tested`` the passes of the first test net, with
    a column for each number of its outputs in ``outputs``. ``iteration`` is the highest one.
    """

    shown: Columns = field(default_factory=Columns)
    tested: Columns = field(default_factory=Columns)
    outputs: Columns = field(default_factory=Columns)
    iteration: int = 0
    epoch: float | None = None

    def append(self, line: Mapping[str, Any]) -> None:
        """Add a line."""
        self.iteration = max(self.iteration, line["iteration"])
        self.epoch = line.get("epoch", self.epoch)
        if line["event"] == "iterated":
            self.shown.append({name: line.get(name) for name in _SHOWN})
        elif line["event"] == "tested" and line["net"] == 0:
            self.tested.append({name: line.get(name) for name in _TESTED})
            self.outputs.append(dict(_numbers(line["outputs"])))


def _numbers(outputs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The numbers of outputs by name: ``accuracy``, or ``output[0]`` and so on."""
    for name, value in outputs.items():
        values = value if isinstance(value, list) else [value]
        for place, each in enumerate(values):
            yield name if len(values) == 1 else f"{name}[{place}]", each


@dataclass
class _Known:
    """The cached part of a file: what was read, where it ends, and the text of the last line."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    metrics: Metrics = field(default_factory=Metrics)
    end: int = 0
    last: bytes = b""

    def bring_up(self, path: Path) -> None:
        """Read what is new; all of it if the file was cut or rewritten."""
        try:
            with path.open("rb") as stream:
                stream.seek(self.end - len(self.last))
                new = stream.read()
                if not new.startswith(self.last):
                    stream.seek(0)
                    new = stream.read()
                    self._forget()
        except OSError:
            self._forget()
            return
        self._take(new[len(self.last) :])

    def _forget(self) -> None:
        self.metrics, self.end, self.last = Metrics(), 0, b""

    def _take(self, new: bytes) -> None:
        whole = new[: new.rfind(b"\n") + 1]
        if not whole:
            return
        lines = whole.split(b"\n")[:-1]
        for line in lines:
            try:
                entry = json.loads(line)
                if isinstance(entry, dict) and "event" in entry:
                    self.metrics.append(entry)
            except (ValueError, TypeError, KeyError, AttributeError):
                continue  # a damaged line
        self.end += len(whole)
        self.last = lines[-1] + b"\n"


class GrowingMetrics:
    """Reads metrics files; of a known file only the new lines.

    A file that was truncated or rewritten, as by a resumed training, is read from the beginning.
    Thread-safe.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[Path, _Known] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def reading(self, path: Path) -> Iterator[Metrics]:
        """The complete lines of a file, which no other thread reads meanwhile.

        An absent file has none; damaged lines are skipped.
        """
        with self._lock:
            known = self._known.setdefault(path, _Known())
            self._known.move_to_end(path)
            while len(self._known) > _FILES:
                self._known.popitem(last=False)
        with known.lock:
            known.bring_up(path)
            yield known.metrics


METRICS = GrowingMetrics()
"""The metrics cache of this process."""

"""Progress of long work: as lines of a log, and as a file that a page reads."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from protonet.errors import ProtonetError
from protonet.formats.atomic import write_atomic
from protonet.formats.json_text import parse_json

PROGRESS = "progress.json"
"""The file in the folder of a job with the progress of its task."""

_LINE_SECONDS = 5.0
"""Seconds between lines."""
_FILE_SECONDS = 0.5
"""Seconds between writings of the file."""

Watch = Callable[[int, int], None]
"""Called with the number of things done, and of all."""


@dataclass(frozen=True)
class Count:
    """How far work is. ``begun`` and ``at`` are times; ``first`` was done before it began; ``what``
    is counted.
    """

    done: int
    total: int
    first: int
    begun: float
    at: float
    what: str = "images"

    def seconds_left(self, now: float | None = None) -> float | None:
        """At the mean speed since it began; None while that is unknown."""
        new = self.done - self.first
        if new <= 0 or self.at <= self.begun:
            return None
        left = (self.total - self.done) * (self.at - self.begun) / new
        return max(0.0, left - (0.0 if now is None else now - self.at))


class Counter:
    """Counts work from its first call on; one that counts down begins again."""

    def __init__(self, what: str = "images") -> None:
        self._what = what
        self._first: tuple[int, float] | None = None
        self._last = 0

    def count(self, done: int, total: int, now: float) -> Count:
        """The state after so many are done."""
        if self._first is None or done < self._last:
            self._first = (done, now)
        self._last = done
        return Count(done, total, self._first[0], self._first[1], now, self._what)


class Stages:
    """A callback for work that has several stages, each with what it counts."""

    def __init__(self, what: str, watch_of: Callable[[str], Watch]) -> None:
        self._watch_of = watch_of
        self._watch = watch_of(what)

    def __call__(self, done: int, total: int) -> None:
        """So many of all are done in the first stage."""
        self._watch(done, total)

    def stage(self, what: str) -> Watch:
        """The callback of another stage."""
        return self._watch_of(what)


def log_progress(what: str) -> Watch:
    """A callback that logs progress to standard error if the work takes longer than this."""
    counter, told = Counter(what), time.monotonic()

    def watch(done: int, total: int) -> None:
        nonlocal told
        now = time.monotonic()
        count = counter.count(done, total, now)
        if now - told >= _LINE_SECONDS:
            told = now
            print(line_of(count), file=sys.stderr, flush=True)

    return watch


def line_of(count: Count) -> str:
    """``1200 of 5000 images (24 %), 12 s left``."""
    share = f" ({100 * count.done // count.total} %)" if count.total else ""
    left = count.seconds_left()
    return f"{count.done} of {count.total} {count.what}{share}" + (
        "" if left is None else f", {_duration(left)} left"
    )


def file_progress(path: Path, what: str = "images") -> Watch:
    """A callback that writes progress of ``what`` to a file, at most twice a second."""
    counter, written = Counter(what), 0.0

    def watch(done: int, total: int) -> None:
        nonlocal written
        now = time.time()
        count = counter.count(done, total, now)
        if now - written >= _FILE_SECONDS or done == total:
            written = now
            with suppress(ProtonetError, OSError):  # the work is worth more than its progress
                write_atomic(path, json.dumps(vars(count)).encode())

    return watch


def read_progress(path: Path) -> Count | None:
    """The progress of a file; None if there is none yet."""
    try:
        values = parse_json(path.read_text())
        return Count(
            int(values["done"]), int(values["total"]), int(values["first"]),
            float(values["begun"]), float(values["at"]), str(values["what"]),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError):
        return None


def both(*watches: Watch) -> Watch:
    """A callback that calls all."""

    def watch(done: int, total: int) -> None:
        for each in watches:
            each(done, total)

    return watch


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"

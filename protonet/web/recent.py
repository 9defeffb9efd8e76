"""Results that are computed again only when what they were computed from has changed."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
Stamp = tuple[object, ...]
"""What changes when a result is out of date, such as times and sizes of files."""


_RESTS = 20
"""A result with a pause is good for so many times as long as it took to compute."""


@dataclass
class _Entry(Generic[T]):
    lock: threading.Lock = field(default_factory=threading.Lock)
    stamp: Stamp | None = None
    value: T | None = None
    good_until: float = 0.0


class Recent(Generic[T]):
    """The results of the keys that were asked for last, at most ``most`` of them. Thread-safe.

    Of several threads that ask for a key at the same time, one computes and the others wait.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: OrderedDict[Hashable, _Entry[T]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, key: Hashable, stamp: Stamp, make: Callable[[], T], pause: float = 0.0) -> T:
        """The result of ``key``, computed if there is none with this stamp.

        With a pause in seconds, a result is good for as long, and for twenty times as long as it
        took to compute, so that what changes all the time takes a bounded share of the time. The
        first part of a stamp is never out of date.
        """
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
            while len(self._entries) > self._most:
                self._entries.popitem(last=False)
        with entry.lock:
            now = time.monotonic()
            rests = pause > 0 and now < entry.good_until and entry.stamp is not None
            if rests and entry.stamp is not None and entry.stamp[:1] == stamp[:1]:
                stamp = entry.stamp
            if entry.stamp != stamp or entry.value is None:
                entry.value = make()
                entry.stamp = stamp
                took = time.monotonic() - now
                entry.good_until = now + took + max(pause, _RESTS * took)
            return entry.value


def file_stamp(path: Path) -> tuple[int, int] | None:
    """The size of a file and the time of its last change; None if it is absent."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns

"""Incremental reading of metrics.jsonl."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_FILES = 64
"""Number of cached files."""


@dataclass
class _Known:
    """The cached part of a file: its parsed lines, their end, and the text of the last one."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    end: int = 0
    last: bytes = b""


class GrowingMetrics:
    """Reads the lines of metrics files; of a known file only the new ones.

    A file that was truncated or rewritten, as by a resumed training, is read from the beginning.
    Thread-safe.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[Path, _Known] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, path: Path) -> list[dict[str, Any]]:
        """The complete lines of a file; none if it is absent. Damaged lines are skipped."""
        with self._lock:
            known = self._known.pop(path, _Known())
            try:
                with path.open("rb") as stream:
                    stream.seek(known.end - len(known.last))
                    new = stream.read()
            except OSError:
                return []
            if not new.startswith(known.last):
                known, new = _Known(), path.read_bytes()
            else:
                new = new[len(known.last) :]
            self._take(known, new)
            self._known[path] = known
            while len(self._known) > _FILES:
                self._known.popitem(last=False)
            return list(known.lines)

    @staticmethod
    def _take(known: _Known, new: bytes) -> None:
        whole = new[: new.rfind(b"\n") + 1]
        if not whole:
            return
        lines = whole.split(b"\n")[:-1]
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and "event" in entry:
                known.lines.append(entry)
        known.end += len(whole)
        known.last = lines[-1] + b"\n"


METRICS = GrowingMetrics()
"""The metrics cache of this process."""

"""metrics.jsonl read as it grows: what was read before is not read again."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_FILES = 64
"""Files that are remembered."""


@dataclass
class _Known:
    """What was read of a file: its lines, where they end, and the last of them as it stands."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    end: int = 0
    last: bytes = b""


class GrowingMetrics:
    """Reads the lines of metrics files; of one that it knows only what is new.

    A file that was cut or written anew, as a resumed training does, is read from its beginning.
    May be used from several threads.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[Path, _Known] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, path: Path) -> list[dict[str, Any]]:
        """The whole lines of a file; none where it is absent. Lines that are damaged are left
        out.
        """
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
"""The metrics of all trainings that this process shows."""

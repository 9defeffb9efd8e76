"""Databases that a server keeps open: opening a large one walks all its pages."""

from __future__ import annotations

import threading
from pathlib import Path

from protonet.data.database import Database
from protonet.data.record_index import stamp_of

_HELD = 16


class HeldDatabases:
    """The databases that were used last, each open once. Close it.

    While one is held, others open it at once: they share what is mapped into memory.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[Path, tuple[list[int], Database]] = {}

    def hold(self, path: Path) -> None:
        """Keep a database open until others are used more, or its file changes.

        Raises:
            DataError: when it cannot be opened.
        """
        stamp = stamp_of(path, None)
        with self._lock:
            known = self._open.pop(path, None)
            if known is not None and known[0] != stamp:
                known[1].close()
                known = None
            self._open[path] = known or (stamp, Database(path))
            for oldest in list(self._open)[:-_HELD]:
                self._open.pop(oldest)[1].close()

    def forget(self, folder: Path) -> None:
        """Close those in a folder."""
        with self._lock:
            for path in [path for path in self._open if path.is_relative_to(folder)]:
                self._open.pop(path)[1].close()

    def close(self) -> None:
        """Close all."""
        self.forget(Path("/"))

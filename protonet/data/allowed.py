"""Folders whose files may be read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from protonet.errors import DataError


class AllowedFolders:
    """Refuses files outside of ``folders``, after links are resolved; none allow all.

    Folders are resolved once each, so that a million files are checked in seconds.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._roots = tuple(folder.resolve() for folder in folders)
        self._known: dict[str, bool] = {}

    def check(self, path: Path, where: str) -> None:
        """Raise DataError, which names ``where``, for a file that may not be read."""
        if self._roots and not self._allowed(path):
            shown = ", ".join(map(str, self._roots))
            raise DataError(f"{where}: is outside of the folders that may be read ({shown})")

    def _allowed(self, path: Path) -> bool:
        if path.is_symlink() or path.name == "..":
            return self._is_inside(path)
        parent = str(path.parent)
        if parent not in self._known:
            self._known[parent] = self._is_inside(path.parent)
        return self._known[parent]

    def _is_inside(self, path: Path) -> bool:
        real = path.resolve()
        return any(real.is_relative_to(root) for root in self._roots)

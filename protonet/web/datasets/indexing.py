"""Indexes of data sets: opened where they are, made in other processes where they are not."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from protonet.data.database import Database
from protonet.data.record_index import RecordIndex, build_index, stamp_of
from protonet.errors import DataError
from protonet.jobs.tasks.progress_log import Count, read_progress
from protonet.web.datasets.databases import Databases
from protonet.web.datasets.held import HeldDatabases
from protonet.web.datasets.indexer import progress_file
from protonet.web.datasets.samples import images_of

_AT_ONCE, _PICTURES_AT_ONCE = 1000, 100
"""Records that are indexed while one waits; label pictures are decoded for it, so fewer."""
_OPEN = 32
"""Number of indexes that are kept open."""
_UNKNOWN = Count(0, 0, 0, 0.0, 0.0, "images indexed")


class Indexes:
    """The indexes of a server, one process at a time, and their databases, held open. Close it."""

    def __init__(self) -> None:
        self.held = HeldDatabases()
        self._lock = threading.Lock()
        self._open: dict[Path, tuple[list[int], RecordIndex]] = {}
        self._failed: dict[Path, tuple[list[int], str]] = {}
        self._making: tuple[Path, subprocess.Popen[str]] | None = None

    def of(self, folder: Path, databases: Databases, part: str) -> RecordIndex | Count:
        """The index of a part in ``folder``, or how far it is; then it is being made.

        Raises:
            DataError: for records that cannot be read.
            UsageError: for a part that the data set does not have.
        """
        images, labels = images_of(databases, part), databases.part(part)[1]
        place, stamp = folder / part, stamp_of(images, labels)
        for path in (images, labels):
            if path is not None:
                self.held.hold(path)
        with self._lock:
            self._settle()
            known = self._open.get(place)
            if known is not None and known[0] == stamp:
                return known[1]
            with suppress(DataError):
                return self._kept(place, stamp, RecordIndex(place, images, labels))
            failed = self._failed.get(place)
            if failed is not None and failed[0] == stamp:
                raise DataError(failed[1])
            if self._making is not None:
                told = read_progress(progress_file(place)) if self._making[0] == place else None
                return told or _UNKNOWN
            form = databases.form
            if _is_small(images, form):
                build_index(place, images, labels, form)
                return self._kept(place, stamp, RecordIndex(place, images, labels))
            self._start(place, form, images, labels)
            return _UNKNOWN

    def forget(self, folder: Path) -> None:
        """Stop making indexes in this folder, which is about to be removed."""
        self.held.forget(folder)
        with self._lock:
            if self._making is not None and self._making[0].is_relative_to(folder):
                self._stop()
            for each in [each for each in self._open if each.is_relative_to(folder)]:
                del self._open[each]

    def close(self) -> None:
        """Stop the process, and close what is held open."""
        self.held.close()
        with self._lock:
            self._stop()

    def _kept(self, place: Path, stamp: list[int], index: RecordIndex) -> RecordIndex:
        newest = list(self._open.items())[1 - _OPEN :]
        self._open = {**dict(newest), place: (stamp, index)}
        return index

    def _start(self, place: Path, form: str, images: Path, labels: Path | None) -> None:
        place.parent.mkdir(exist_ok=True)
        progress_file(place).unlink(missing_ok=True)
        arguments = [str(place), form, str(images), *([] if labels is None else [str(labels)])]
        process = subprocess.Popen(
            [sys.executable, "-m", "protonet.web.datasets.indexer", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._making = (place, process)
        self._stamp = stamp_of(images, labels)

    def _settle(self) -> None:
        """Look whether the process has ended, and how."""
        if self._making is None or self._making[1].poll() is None:
            return
        place, process = self._making
        _, complaint = process.communicate()
        self._making = None
        if process.returncode:
            told = complaint.strip().splitlines()
            why = told[-1] if told else f"the process ended with code {process.returncode}"
            self._failed[place] = (self._stamp, why)

    def _stop(self) -> None:
        if self._making is not None:
            self._making[1].kill()
            self._making[1].communicate()
            self._making = None


def _is_small(images: Path, form: str) -> bool:
    with Database(images) as database:
        return len(database) <= (_PICTURES_AT_ONCE if form == "segmentation" else _AT_ONCE)

"""HDF5 files that grow row by row, and are there once they are whole. Needs h5py."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from protonet.errors import FormatError
from protonet.formats.atomic import atomic_path
from protonet.formats.hdf5 import h5py_module

_CHUNK = 2**16
"""Bytes of rows that are stored together."""


class RowWriter:
    """Appends rows to the datasets of a new HDF5 file, which ``close`` puts in its place.

    Until then the rows are in a hidden file beside ``path``; what was there before stays. A
    process that is killed leaves the hidden file, never part of the real one.

    Raises:
        UsageError: without h5py, or when the folder is missing or may not be written to.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.rows = 0
        h5py = h5py_module()
        with ExitStack() as stack:
            temporary = stack.enter_context(atomic_path(self.path))
            self._disk = stack.enter_context(_Disk(temporary, "r+"))
            self._file = stack.enter_context(h5py.File(self._disk, "w"))
            # What is entered is left by close or discard.
            self._open: ExitStack | None = stack.pop_all()

    def append(self, datasets: Mapping[str, np.ndarray]) -> None:
        """Add rows, equally many to each dataset; the first call decides names and shapes.

        Raises:
            FormatError: when the disk is full, or rows have another shape than those before. After
                a full disk nothing is left of the file.
        """
        if self._open is None:
            raise FormatError(f"{self.path}: has been closed")
        counts = {len(rows) for rows in datasets.values()}
        assert len(counts) == 1, "as many rows in each dataset"
        stop = self.rows + counts.pop()
        for name, rows in datasets.items():
            dataset = self._dataset(name, rows)
            dataset.resize(stop, axis=0)
            dataset[self.rows : stop] = rows
        self._file.flush()
        if self._disk.error is not None:
            self.discard(self._disk.error)
        self.rows = stop

    def close(self) -> None:
        """Put the file in its place; a second call does nothing.

        Raises:
            FormatError: when the disk is full or fails; nothing is left of the file.
        """
        if self._open is None:
            return
        for dataset in self._file.values():
            # An interrupt may have come between two datasets.
            dataset.resize(self.rows, axis=0)
        self._file.close()
        if self._disk.error is not None:
            self.discard(self._disk.error)
            return
        stack, self._open = self._open, None
        stack.close()

    def discard(self, error: OSError | None = None) -> None:
        """Leave nothing of the file; raises what ``error`` is for its reader."""
        if self._open is None:
            return
        stack, self._open = self._open, None
        # atomic_path turns an OSError into an error of its own; others only make it clean up.
        reason = error or RuntimeError("the file is not wanted")
        stack.__exit__(type(reason), reason, None)

    def _dataset(self, name: str, rows: np.ndarray) -> Any:
        """The dataset of this name, made where there is none."""
        shape = rows.shape[1:]
        if name not in self._file:
            size = max(1, int(np.prod(shape, dtype=np.int64)) * rows.itemsize)
            return self._file.create_dataset(
                name,
                shape=(0, *shape),
                maxshape=(None, *shape),
                chunks=(max(1, _CHUNK // size), *shape),
                dtype=rows.dtype,
            )
        dataset = self._file[name]
        if dataset.shape[1:] != shape:
            raise FormatError(
                f"{self.path}: rows of '{name}' have shape {shape}, those before have "
                f"{dataset.shape[1:]}"
            )
        return dataset


class _Disk(io.FileIO):
    """A file that never refuses: HDF5's library can end the process when a disk is full.

    The first refusal is kept in ``error``, and nothing is written from there on.
    """

    error: OSError | None = None

    def write(self, data: Any) -> int:
        """All of ``data``, or nothing after an error."""
        view = memoryview(data).cast("B")
        size = len(view)
        try:
            while self.error is None and len(view):
                view = view[super().write(view) or 0 :]
        except OSError as error:
            self.error = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """As of any file, but an error is kept."""
        try:
            if self.error is None:
                return super().truncate(size)
        except OSError as error:
            self.error = error
        return size or 0

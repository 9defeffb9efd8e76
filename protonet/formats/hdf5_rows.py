"""HDF5 files that are written row by row and appear when complete. Needs h5py."""

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
"""Bytes of a chunk of rows."""


class RowWriter:
    """Appends rows to the datasets of a new HDF5 file, which replaces ``path`` on ``close``.

    Until then the rows are in a hidden file next to ``path``. A killed process leaves the hidden
    file, never a partial ``path``.

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
            # close or discard exit these contexts.
            self._open: ExitStack | None = stack.pop_all()

    def append(self, datasets: Mapping[str, np.ndarray]) -> None:
        """Append the same number of rows to each dataset; the first call decides names and shapes.

        Raises:
            FormatError: when the disk is full, which discards the file, or when rows have another
                shape than the previous ones.
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
        """Complete the file; a second call does nothing.

        Raises:
            FormatError: when the disk is full or fails; the file is discarded.
        """
        if self._open is None:
            return
        for dataset in self._file.values():
            # An interrupt may have occurred between two datasets.
            dataset.resize(self.rows, axis=0)
        self._file.close()
        if self._disk.error is not None:
            self.discard(self._disk.error)
            return
        stack, self._open = self._open, None
        stack.close()

    def discard(self, error: OSError | None = None) -> None:
        """Remove the file; raises ``error`` as a FormatError or UsageError."""
        if self._open is None:
            return
        stack, self._open = self._open, None
        # atomic_path converts an OSError; other errors only make it clean up.
        reason = error or RuntimeError("the file is not wanted")
        stack.__exit__(type(reason), reason, None)

    def _dataset(self, name: str, rows: np.ndarray) -> Any:
        """The dataset of this name, created if needed."""
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
    """A file that never fails: the HDF5 library can crash the process when a disk is full.

    The first error is stored in ``error``, and nothing is written after it.
    """

    error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of ``data``; nothing after an error."""
        view = memoryview(data).cast("B")
        size = len(view)
        try:
            while self.error is None and len(view):
                view = view[super().write(view) or 0 :]
        except OSError as error:
            self.error = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """Truncate as usual, but store an error."""
        try:
            if self.error is None:
                return super().truncate(size)
        except OSError as error:
            self.error = error
        return size or 0

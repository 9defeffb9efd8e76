"""Rows of HDF5 files, file after file: what HDF5Data layers read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from protonet.errors import DataError, FormatError
from protonet.formats.hdf5 import children, numbers, reading
from protonet.ranks.communicator import Part

_STREAM = 0x48354446
"""Separates the shuffling of files and rows from other random numbers of the same seed."""


def listed_files(source: Path) -> list[Path]:
    """The files that a list names, one a line; relative ones are also looked up next to the list.

    Raises:
        DataError: for a list that cannot be read, is empty, or names an absent file.
    """
    try:
        names = [line.strip() for line in source.read_text().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{source}: cannot be read as a list of HDF5 files: {error}") from error
    if not names:
        raise DataError(f"{source}: names no HDF5 file")
    files = []
    for name in names:
        path = Path(name) if Path(name).exists() else source.parent / name
        if not path.exists():
            raise DataError(f"{source}: names {name}, which is not there")
        files.append(path)
    return files


class RowSource:
    """An endless stream of batches of rows of several datasets, file by file.

    One file at a time is in memory. With ``shuffle`` each pass has an order of files, and of rows
    in each file, that depends on the seed and the pass only.

    Args:
        files: each holds every dataset of ``names``, with equally many rows.
        names: the datasets; row r of one belongs to row r of the others.
        part: of every batch, the rows that are delivered; None for all.

    Raises:
        DataError: naming file and dataset of what is absent, damaged, or does not fit.
    """

    def __init__(
        self,
        files: Sequence[Path],
        names: Sequence[str],
        *,
        shuffle: bool = False,
        seed: int = 0,
        part: Part | None = None,
    ) -> None:
        self._part = part
        self.files = list(files)
        self.names = list(names)
        self.position = 0
        self._shuffle = shuffle
        self._seed = seed % 2**64
        self._loaded: tuple[int, list[np.ndarray]] | None = None
        self._orders: dict[int, list[tuple[int, np.ndarray]]] = {}
        shapes = [self._shapes(file) for file in range(len(self.files))]
        self.shapes = [shape[1:] for shape in shapes[0]]
        for file, found in enumerate(shapes):
            if [shape[1:] for shape in found] != self.shapes:
                raise DataError(
                    f"{self.files[file]}: its rows have shapes {[s[1:] for s in found]}, those of "
                    f"{self.files[0]} have {self.shapes}"
                )
        self._rows = [found[0][0] for found in shapes]
        self.length = sum(self._rows)
        if not self.length:
            raise DataError(f"{self.files[0]}: there is no row in any file")

    def next(self, outs: Sequence[np.ndarray]) -> None:
        """Write the next rows of each dataset to its array, (batch, *shape)."""
        batch, done = len(outs[0]), 0
        part = self._part or Part(0, batch, batch)
        while done < batch:
            epoch, row = divmod(self.position + part.first + done * part.step, self.length)
            file, rows = self._span(epoch, row)
            take = rows[:: part.step][: batch - done]
            for out, data in zip(outs, self._load(file), strict=True):
                out[done : done + len(take)] = data[take]
            done += len(take)
        self.position += part.whole

    def close(self) -> None:
        """Nothing to do: files are open only while they are read."""

    def _span(self, epoch: int, row: int) -> tuple[int, np.ndarray]:
        """The file that holds a row of a pass, and the rows that follow in it, from that one on."""
        for file, rows in self._order(epoch):
            if row < len(rows):
                return file, rows[row:]
            row -= len(rows)
        raise AssertionError("a row of the pass lies in one of the files")

    def _order(self, epoch: int) -> list[tuple[int, np.ndarray]]:
        """Each file with its rows in the order of a pass."""
        if not self._shuffle:
            epoch = 0
        if epoch not in self._orders:
            files = list(range(len(self.files)))
            order = [np.arange(count) for count in self._rows]
            if self._shuffle:
                key = np.array([self._seed, self.length], np.uint64)
                bits = np.random.Philox(key=key, counter=[0, 0, epoch, _STREAM])
                files = np.argsort(bits.random_raw(len(files)), kind="stable").tolist()
                order = [np.argsort(bits.random_raw(count), kind="stable") for count in self._rows]
            self._orders = {epoch: [(file, order[file]) for file in files]}
        return self._orders[epoch]

    def _load(self, file: int) -> list[np.ndarray]:
        if self._loaded is None or self._loaded[0] != file:
            self._loaded = (file, self._read(file))
        return self._loaded[1]

    def _read(self, file: int) -> list[np.ndarray]:
        """The datasets of a file."""
        path = self.files[file]
        try:
            with reading(path) as group:
                nodes = children(group)
                self._check_names(path, nodes)
                return [numbers(nodes[name], f"{path}: {name}") for name in self.names]
        except FormatError as error:
            raise DataError(str(error)) from error

    def _shapes(self, file: int) -> list[tuple[int, ...]]:
        """The shapes of the datasets of a file, with equally many rows."""
        path = self.files[file]
        try:
            with reading(path) as group:
                nodes = children(group)
                self._check_names(path, nodes)
                found = [tuple(getattr(nodes[name], "shape", ())) for name in self.names]
        except FormatError as error:
            raise DataError(str(error)) from error
        for name, shape in zip(self.names, found, strict=True):
            if not shape:
                raise DataError(f"{path}: '{name}' is not a dataset of rows")
            if shape[0] != found[0][0]:
                raise DataError(
                    f"{path}: '{name}' has {shape[0]} rows, '{self.names[0]}' has {found[0][0]}"
                )
        return found

    def _check_names(self, path: Path, nodes: dict[str, object]) -> None:
        missing = [name for name in self.names if name not in nodes]
        if missing:
            known = ", ".join(f"'{name}'" for name in nodes) or "none"
            raise DataError(f"{path}: has no dataset '{missing[0]}'; it has {known}")

"""Opening HDF5 files that strangers made. Needs h5py, the extra ``hdf5``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from protonet.errors import FormatError, UsageError
from protonet.formats.atomic import write_atomic

_EXPANSION_LIMIT = 2000
"""How many times larger than its file an array may be: more than any compression gives."""


@contextmanager
def reading(path: Path) -> Iterator[Any]:
    """The file's root group, an ``h5py.File``, opened for reading.

    Raises:
        UsageError: without h5py.
        FormatError: when the file, or what the block reads of it, is damaged.
    """
    h5py = _h5py()
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise FormatError(f"{path}: is damaged or cut short ({error})") from error


@contextmanager
def writing(path: Path) -> Iterator[Any]:
    """The root group of a new file that replaces ``path`` when the block ends well.

    Raises:
        UsageError: without h5py, or when the folder cannot be written to.
        FormatError: when the disk is full.
    """
    # In memory first: HDF5's library can crash the whole process when a disk is full.
    buffer = BytesIO()
    with _h5py().File(buffer, "w") as file:
        yield file
    write_atomic(path, [buffer.getbuffer()])


class RowWriter:
    """Datasets that grow row by row, in a file that gets its name when it is whole.

    Raises:
        UsageError: without h5py, or when the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._part = path.with_name(path.name + ".part")
        h5py = _h5py()
        try:
            # Opened by Python first: HDF5's own errors do not say what is wrong with a path.
            self._part.open("wb").close()
            self._file = h5py.File(self._part, "w")
        except OSError as error:
            raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from error

    def add(self, rows: Mapping[str, np.ndarray]) -> None:
        """Append rows to the dataset of each name; the first call makes the datasets.

        Raises:
            FormatError: when the disk is full.
        """
        try:
            for name, values in rows.items():
                if name not in self._file:
                    self._file.create_dataset(
                        name,
                        data=values,
                        maxshape=(None, *values.shape[1:]),
                        chunks=(max(1, len(values)), *values.shape[1:]),
                    )
                    continue
                dataset = self._file[name]
                count = len(dataset)
                dataset.resize(count + len(values), axis=0)
                dataset[count:] = values
            self._file.flush()
        except (OSError, RuntimeError) as error:
            raise FormatError(f"{self.path}: cannot be written: {error}") from error

    def close(self) -> None:
        """Give the file its name."""
        self._file.close()
        self._part.replace(self.path)


def children(group: Any) -> dict[str, Any]:
    """The groups and datasets in a group by name; links to elsewhere are left out.

    Following those would let a file that is merely opened read others.
    """
    hard = _h5py().HardLink
    return {name: group[name] for name in group if isinstance(group.get(name, getlink=True), hard)}


def is_group(node: Any) -> bool:
    """Whether a node is a group: not a dataset, not a stored type."""
    return isinstance(node, _h5py().Group)


def numbers(node: Any, what: str) -> np.ndarray:
    """The numbers of a dataset, copied; float64 is kept.

    Raises:
        FormatError: when it is none, has no numbers, or is larger than its file can hold.
    """
    is_dataset = isinstance(node, _h5py().Dataset)
    if not is_dataset or node.dtype.kind not in "fiu" or node.external:
        raise FormatError(f"{what}: expected a dataset of numbers")
    if node.nbytes > _EXPANSION_LIMIT * Path(node.file.filename).stat().st_size:
        raise FormatError(f"{what}: has shape {node.shape}, more than its file can hold")
    return np.asarray(node)


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise UsageError("HDF5 files need h5py: pip install 'protonet[hdf5]'") from error
    return h5py

"""Reading and writing HDF5 files, untrusted ones included. Needs h5py, the extra ``hdf5``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from protonet.errors import FormatError, UsageError
from protonet.formats.atomic import write_atomic

_EXPANSION_LIMIT = 2000
"""The greatest ratio of array to file size: beyond that of any compression."""


@contextmanager
def reading(path: Path) -> Iterator[Any]:
    """The file's root group, an ``h5py.File``, opened for reading.

    Raises:
        UsageError: without h5py.
        FormatError: when the file, or what the block reads of it, is damaged.
    """
    h5py = h5py_module()
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise FormatError(f"{path}: is damaged or cut short ({error})") from error


@contextmanager
def writing(path: Path) -> Iterator[Any]:
    """The root group of a new file that replaces ``path`` if the block succeeds.

    Raises:
        UsageError: without h5py, or when the folder cannot be written to.
        FormatError: when the disk is full.
    """
    # In memory first: the HDF5 library can crash the process when a disk is full.
    buffer = BytesIO()
    with h5py_module().File(buffer, "w") as file:
        yield file
    write_atomic(path, [buffer.getbuffer()])


def children(group: Any) -> dict[str, Any]:
    """The groups and datasets in a group by name, without soft and external links.

    Following those would let an untrusted file read other files.
    """
    hard = h5py_module().HardLink
    return {name: group[name] for name in group if isinstance(group.get(name, getlink=True), hard)}


def is_group(node: Any) -> bool:
    """Whether a node is a group: not a dataset, not a stored type."""
    return isinstance(node, h5py_module().Group)


def numbers(node: Any, what: str) -> np.ndarray:
    """The numbers of a dataset, copied; float64 is kept.

    Raises:
        FormatError: when it is not a dataset of numbers, or larger than its file can hold.
    """
    is_dataset = isinstance(node, h5py_module().Dataset)
    if not is_dataset or node.dtype.kind not in "fiu" or node.external:
        raise FormatError(f"{what}: expected a dataset of numbers")
    if node.nbytes > _EXPANSION_LIMIT * Path(node.file.filename).stat().st_size:
        raise FormatError(f"{what}: has shape {node.shape}, more than its file can hold")
    return np.asarray(node)


def h5py_module() -> Any:
    """Import h5py.

    Raises:
        UsageError: when it is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise UsageError("HDF5 files need h5py: pip install 'protonet[hdf5]'") from error
    return h5py

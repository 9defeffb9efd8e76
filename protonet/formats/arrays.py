"""Weights as named arrays, such as ``layer/0``: NumPy's .npz, and .safetensors."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from protonet.errors import FormatError, UsageError
from protonet.formats.atomic import write_atomic

SUFFIXES = (".npz", ".safetensors")


def read_arrays(path: Path) -> dict[str, list[np.ndarray | None]]:
    """The parameters of each layer; None for indices missing in the file.

    Raises:
        UsageError: when the file cannot be read, or safetensors is needed and missing.
        FormatError: when it is damaged, or has names of another form than ``layer/0``.
    """
    arrays = _read_npz(path) if path.suffix == ".npz" else _read_safetensors(path)
    layers: dict[str, dict[int, np.ndarray]] = {}
    for name, array in arrays.items():
        layer, _, place = name.rpartition("/")
        if not layer or not place.isdecimal() or int(place) > 1000 or array.dtype.kind not in "fiu":
            raise FormatError(
                f"{path}: '{name}' ({array.dtype}) is no parameter; expected numbers under names "
                "such as conv1/0"
            )
        layers.setdefault(layer, {})[int(place)] = array
    return {
        layer: [places.get(place) for place in range(max(places) + 1)]
        for layer, places in layers.items()
    }


def write_arrays(path: Path, weights: Mapping[str, Sequence[np.ndarray | None]]) -> None:
    """Write the parameters of each layer atomically.

    Raises:
        UsageError: when the folder cannot be written to, or safetensors is needed and missing.
        FormatError: when the disk is full.
    """
    arrays = {
        f"{layer}/{place}": np.ascontiguousarray(array)
        for layer, params in weights.items()
        for place, array in enumerate(params)
        if array is not None
    }
    if path.suffix == ".npz":
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        write_atomic(path, buffer.getvalue())
    else:
        write_atomic(path, _safetensors().save(arrays))


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        # Opened here: NumPy does not close a file that is not an archive.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # damaged headers make NumPy raise errors of many types
        raise FormatError(f"{path}: is damaged, or no .npz: {error}") from error
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise FormatError(f"{path}: is damaged, or no .npz: '{name}' is no array")
    return arrays


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    library = _safetensors()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        arrays: dict[str, np.ndarray] = library.load(data)
    except Exception as error:
        raise FormatError(f"{path}: is damaged, or no .safetensors: {error}") from error
    return arrays


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise UsageError(
            ".safetensors needs the library: pip install 'protonet[safetensors]'"
        ) from error
    return safetensors.numpy

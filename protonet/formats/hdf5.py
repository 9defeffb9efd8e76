"""Weights and solver states as HDF5, in Caffe's layout. Needs h5py: the extra ``hdf5``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from protonet.errors import FormatError, UsageError
from protonet.formats.atomic import atomic_path
from protonet.formats.blobs import to_array
from protonet.proto.caffe_pb2 import NetParameter


def read_weights(path: Path) -> dict[str, list[np.ndarray | None]]:
    """``/data/<layer>/<i>`` as arrays by layer; layers without weights are left out.

    A parameter that another layer owns is not in the file: None stands in its place.
    """
    with _open(path) as file:
        if "data" not in file:
            kind = "a .solverstate.h5" if "iter" in file else "an HDF5 file without weights"
            raise FormatError(f"{path}: is {kind}; expected a .caffemodel.h5 (weights)")
        return {
            name: [
                np.asarray(group[str(i)]) if str(i) in group else None
                for i in range(1 + max(int(key) for key in group))
            ]
            for name, group in file["data"].items()
            if len(group)
        }


def write_weights(path: Path, net: NetParameter) -> None:
    """Write ``/data/<layer>/<i>``; a parameter that another layer owns is written there only."""
    owned: set[str] = set()
    with atomic_path(path) as temporary, _h5py().File(temporary, "w") as file:
        data = file.create_group("data")
        for layer in net.layer:
            group = data.create_group(layer.name)
            for i, blob in enumerate(layer.blobs):
                shared = layer.param[i].name if i < len(layer.param) else ""
                if shared not in owned:
                    group.create_dataset(str(i), data=to_array(blob))
                if shared:
                    owned.add(shared)


def read_state(path: Path) -> tuple[int, str, list[np.ndarray], int]:
    """Iteration, path of the weights, history and current step."""
    with _open(path) as file:
        if "iter" not in file or "history" not in file:
            kind = "a .caffemodel.h5" if "data" in file else "an HDF5 file of another kind"
            raise FormatError(f"{path}: is {kind}; expected a .solverstate.h5")
        learned = file["learned_net"][()] if "learned_net" in file else b""
        history = file["history"]
        return (
            int(np.asarray(file["iter"]).item()),
            learned.decode() if isinstance(learned, bytes) else str(learned),
            [np.asarray(history[str(i)]) for i in range(len(history))],
            int(np.asarray(file["current_step"]).item()) if "current_step" in file else 0,
        )


def write_state(path: Path, state: tuple[int, str, Sequence[np.ndarray], int]) -> None:
    """Write what ``read_state`` reads."""
    iteration, learned_net, history, current_step = state
    with atomic_path(path) as temporary, _h5py().File(temporary, "w") as file:
        file.create_dataset("iter", data=np.array([iteration], np.int32))
        file.create_dataset("learned_net", data=_c_string(learned_net))
        file.create_dataset("current_step", data=np.array([current_step], np.int32))
        group = file.create_group("history")
        for i, array in enumerate(history):
            group.create_dataset(str(i), data=array)


def _c_string(text: str) -> np.ndarray:
    """A string as Caffe stores it: with room for the closing zero."""
    data = text.encode()
    return np.array(data, f"S{len(data) + 1}")


def _open(path: Path) -> Any:
    """The file, opened for reading."""
    h5py = _h5py()
    if not Path(path).is_file():
        raise FormatError(f"{path}: is not there")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise FormatError(f"{path}: is damaged or no HDF5 file ({error})") from error


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise UsageError("HDF5 files need h5py: pip install 'protonet[hdf5]'") from error
    return h5py

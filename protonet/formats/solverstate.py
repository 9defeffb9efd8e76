"""The state of a solver on disk: .solverstate and .solverstate.h5."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from protonet.errors import FormatError
from protonet.formats import hdf5
from protonet.formats.atomic import write_atomic
from protonet.formats.blobs import from_array, to_array
from protonet.formats.kind import SIZE_LIMIT, is_hdf5, read_message
from protonet.proto.caffe_pb2 import SolverState

_WANTED = "a .solverstate (the state of a solver)"


@dataclass(frozen=True)
class SolverHistory:
    """The solver state of a training.

    ``iteration`` counts completed iterations, ``learned_net`` is the path of the weights,
    ``history`` are the solver's arrays in Caffe's order: one for each learnable parameter in the
    order of the net, and again for each further slot of the rule. ``current_step`` counts the
    steps of a step or multistep schedule.
    """

    iteration: int
    learned_net: str
    history: Sequence[np.ndarray]
    current_step: int = 0


def read_state(path: str | Path) -> SolverHistory:
    """Read a binary or HDF5 state, recognized by content.

    Raises:
        UsageError: when the file cannot be read, or h5py is needed and missing.
        FormatError: when it is not a state; says what it looks like instead.
    """
    path = Path(path)
    state = _read_hdf5(path) if is_hdf5(path) else _read_binary(path)
    if state.iteration < 0 or state.current_step < 0:
        raise FormatError(
            f"{path}: is damaged: it has iteration {state.iteration}, step {state.current_step}"
        )
    return state


def _read_binary(path: Path) -> SolverHistory:
    state = read_message(path, SolverState, _WANTED)
    history = [
        to_array(blob, f"{path}: history {index}") for index, blob in enumerate(state.history)
    ]
    learned: str | bytes = state.learned_net
    if isinstance(learned, bytes):  # not UTF-8: protobuf returns bytes
        learned = learned.decode("utf-8", "replace")
    return SolverHistory(state.iter, learned, history, state.current_step)


def write_state(path: str | Path, state: SolverHistory) -> None:
    """Write a state atomically; as HDF5 if the name ends in .h5.

    Raises:
        UsageError: when the folder cannot be written to, or h5py is needed and missing.
        FormatError: when the disk is full, or the state is too large for protobuf.
    """
    path = Path(path)
    if path.suffix == ".h5":
        _write_hdf5(path, state)
        return
    if sum(array.nbytes + 64 for array in state.history) > SIZE_LIMIT:
        raise FormatError(
            f"{path}: the state is larger than 2 GiB, which protobuf cannot hold; "
            f"store it as HDF5 (snapshot_format: HDF5, {path.name}.h5)"
        )
    message = SolverState(
        iter=state.iteration,
        learned_net=state.learned_net,
        current_step=state.current_step,
        history=[from_array(array) for array in state.history],
    )
    write_atomic(path, message.SerializeToString())


def _read_hdf5(path: Path) -> SolverHistory:
    with hdf5.reading(path) as file:
        root = hdf5.children(file)
        expected = {"iter", "learned_net", "history"}
        if not expected <= root.keys() or not hdf5.is_group(root["history"]):
            kind = "a .caffemodel.h5" if "data" in root else "an HDF5 file of another kind"
            raise FormatError(f"{path}: is {kind}; expected a .solverstate.h5")
        learned = root["learned_net"][()]
        nodes = hdf5.children(root["history"])
        return SolverHistory(
            int(hdf5.numbers(root["iter"], f"{path}: iter").item()),
            learned.decode("utf-8", "replace") if isinstance(learned, bytes) else str(learned),
            [
                hdf5.numbers(nodes[str(index)], f"{path}: history {index}")
                for index in range(len(nodes))
            ],
            int(hdf5.numbers(root["current_step"], f"{path}: current_step").item())
            if "current_step" in root
            else 0,
        )


def _write_hdf5(path: Path, state: SolverHistory) -> None:
    with hdf5.writing(path) as file:
        file.create_dataset("iter", data=np.array([state.iteration], np.int32))
        name = state.learned_net.encode()
        # One byte longer than the text: Caffe reads it as a zero-terminated C string.
        file.create_dataset("learned_net", data=np.array(name, f"S{len(name) + 1}"))
        file.create_dataset("current_step", data=np.array([state.current_step], np.int32))
        history = file.create_group("history")
        for index, array in enumerate(state.history):
            history.create_dataset(str(index), data=array)

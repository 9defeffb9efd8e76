"""The state of a solver on disk: .solverstate and .solverstate.h5."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from protonet.errors import FormatError
from protonet.formats.atomic import write_atomic
from protonet.formats.blobs import from_array, to_array
from protonet.formats.kind import looks_like_model, read_message
from protonet.proto.caffe_pb2 import SolverState

_WHAT = "a .solverstate (the state of a solver)"


@dataclass(frozen=True)
class SolverHistory:
    """Where a training stands.

    ``learned_net`` is the path of the weights, ``history`` the solver's arrays in the order of
    Caffe: one for each learnable parameter, and again for each further kind.
    """

    iteration: int
    learned_net: str
    history: Sequence[np.ndarray]
    current_step: int = 0


def read_state(path: Path) -> SolverHistory:
    """Read a binary or HDF5 (.h5) state.

    Raises:
        FormatError: naming what the file is instead, when it is no state.
    """
    if Path(path).suffix == ".h5":
        from protonet.formats import hdf5

        return SolverHistory(*hdf5.read_state(path))
    state = SolverState()
    read_message(path, state, _WHAT)
    if not state.HasField("iter") or not (state.history or state.learned_net):
        data = Path(path).read_bytes()
        kind = "a .caffemodel" if looks_like_model(data) else "a file without an iteration"
        raise FormatError(f"{path}: is {kind}; expected {_WHAT}")
    history = [
        to_array(blob, f"{path}: history {i}") for i, blob in enumerate(state.history)
    ]
    return SolverHistory(state.iter, state.learned_net, history, state.current_step)


def write_state(path: Path, state: SolverHistory) -> None:
    """Write a state, whole or not at all; HDF5 where the name ends in .h5."""
    if Path(path).suffix == ".h5":
        from protonet.formats import hdf5

        hdf5.write_state(
            path, (state.iteration, state.learned_net, state.history, state.current_step)
        )
        return
    message = SolverState(
        iter=state.iteration,
        learned_net=state.learned_net,
        current_step=state.current_step,
        history=[from_array(array) for array in state.history],
    )
    write_atomic(path, message.SerializeToString())

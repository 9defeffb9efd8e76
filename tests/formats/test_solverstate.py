"""Solver states: Caffe's read field by field, ours bit for bit."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from protonet.errors import FormatError, UsageError
from protonet.formats import solverstate
from protonet.formats.solverstate import SolverHistory, read_state, write_state
from protonet.proto.caffe_pb2 import SolverState

GOLDEN = Path(__file__).parents[1] / "golden" / "solvers"
BINARY = sorted(GOLDEN.glob("*/snap_iter_5.solverstate"))
HDF5 = sorted(GOLDEN.glob("*/snap_iter_5.solverstate.h5"))
SHAPES = [(5, 6), (5,), (3, 5), (3,)]
STEPS = {"lr_step": 1, "lr_multistep": 2}


@pytest.mark.parametrize("path", BINARY, ids=lambda path: path.parent.name)
def test_caffes_states_field_by_field(path: Path) -> None:
    state = read_state(path)
    case = path.parent.name
    assert state.iteration == 5
    assert state.learned_net == "snap_iter_5.caffemodel"
    assert state.current_step == STEPS.get(case, 0)
    assert [array.shape for array in state.history] == SHAPES * (2 if case == "adadelta" else 1)
    raw = SolverState.FromString(path.read_bytes())
    for array, blob in zip(state.history, raw.history, strict=True):
        assert array.dtype == np.float32
        assert array.ravel().tolist() == list(blob.data)


@pytest.mark.parametrize("path", BINARY, ids=lambda path: path.parent.name)
def test_ours_are_caffes_byte_for_byte(path: Path, tmp_path: Path) -> None:
    write_state(tmp_path / "x.solverstate", read_state(path))
    again = SolverState.FromString((tmp_path / "x.solverstate").read_bytes())
    assert again == SolverState.FromString(path.read_bytes())


@pytest.mark.parametrize("path", HDF5, ids=lambda path: path.parent.name)
def test_caffes_hdf5_states_node_by_node(path: Path, tmp_path: Path) -> None:
    state = read_state(path)
    assert (state.iteration, state.current_step) == (5, 0)
    assert state.learned_net == "snap_iter_5.caffemodel.h5"
    assert [array.shape for array in state.history] == SHAPES * (len(state.history) // 4)
    write_state(tmp_path / "x.solverstate.h5", state)
    with h5py.File(path) as theirs, h5py.File(tmp_path / "x.solverstate.h5") as ours:
        names: list[str] = []
        theirs.visit(names.append)
        found: list[str] = []
        ours.visit(found.append)
        assert found == names
        for name in names:
            if name != "history":
                assert ours[name].dtype == theirs[name].dtype
                assert ours[name].shape == theirs[name].shape
                assert ours[name][()].tobytes() == theirs[name][()].tobytes()


@pytest.mark.parametrize("name", ["x.solverstate", "x.solverstate.h5"])
def test_there_and_back_bit_for_bit(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(7)
    history = [
        rng.normal(size=(2, 3, 5, 7)).astype(np.float32),
        np.array([np.nan, np.inf, -0.0, 1e-45], np.float32),
        rng.normal(size=4),
    ]
    write_state(tmp_path / name, SolverHistory(12345, "runs/ä/w.caffemodel", history, 3))
    again = read_state(tmp_path / name)
    assert (again.iteration, again.learned_net) == (12345, "runs/ä/w.caffemodel")
    assert again.current_step == 3
    for found, expected in zip(again.history, history, strict=True):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        assert found.tobytes() == expected.tobytes()


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    (tmp_path / "x.solverstate").write_bytes(HDF5[0].read_bytes())
    assert read_state(tmp_path / "x.solverstate").iteration == 5


def test_files_of_another_kind(tmp_path: Path) -> None:
    expected = r"; expected a \.solverstate \(the state of a solver\)"
    hint = "; the weights alone begin a new training: --weights$"
    with pytest.raises(FormatError, match=rf"is a \.caffemodel \(weights\){expected}{hint}"):
        read_state(GOLDEN / "sgd" / "snap_iter_5.caffemodel")
    with pytest.raises(FormatError, match=rf"is a text, perhaps a prototxt{expected}$"):
        read_state(GOLDEN / "sgd" / "solver.prototxt")
    (tmp_path / "x").write_bytes(BINARY[0].read_bytes()[:100])
    with pytest.raises(FormatError, match=rf"is damaged, cut short.*{expected}$"):
        read_state(tmp_path / "x")
    with pytest.raises(UsageError, match="absent: cannot be read"):
        read_state(tmp_path / "absent")


def test_hdf5_files_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"is a \.caffemodel\.h5; expected a \.solverstate\.h5"):
        read_state(GOLDEN / "adam" / "snap_iter_5.caffemodel.h5")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["iter"] = [1]
    with pytest.raises(FormatError, match="is an HDF5 file of another kind"):
        read_state(tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["iter"], file["learned_net"], file["history"] = [1], "w", [2.0]
    with pytest.raises(FormatError, match="is an HDF5 file of another kind"):
        read_state(tmp_path / "x.h5")


def test_an_hdf5_state_with_a_gap(tmp_path: Path) -> None:
    (tmp_path / "x.h5").write_bytes(HDF5[0].read_bytes())
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        del file["current_step"]
    assert read_state(tmp_path / "x.h5").current_step == 0
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        del file["history/1"]
    with pytest.raises(FormatError, match=r"x\.h5: is damaged or cut short"):
        read_state(tmp_path / "x.h5")


def test_a_history_blob_that_does_not_fit_its_shape(tmp_path: Path) -> None:
    state = SolverState.FromString(BINARY[0].read_bytes())
    state.history[2].shape.dim[1] = 4
    (tmp_path / "x").write_bytes(state.SerializeToString())
    with pytest.raises(FormatError, match=r"x: history 2 has 15 value\(s\), but its shape is 3x4"):
        read_state(tmp_path / "x")


def test_more_than_protobuf_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = SolverHistory(1, "w", [np.zeros((3, 5), np.float32)])
    monkeypatch.setattr(solverstate, "SIZE_LIMIT", 60 + 64)
    write_state(tmp_path / "x.solverstate", state)
    monkeypatch.setattr(solverstate, "SIZE_LIMIT", 60 + 63)
    with pytest.raises(FormatError, match=r"larger than 2 GiB.*x\.solverstate\.h5\)"):
        write_state(tmp_path / "x.solverstate", state)


@pytest.mark.parametrize("ending", ["", ".h5"])
def test_a_state_from_before_the_beginning(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"x.solverstate{ending}"
    write_state(path, SolverHistory(-1, "x.caffemodel", [np.ones(2, np.float32)]))
    with pytest.raises(FormatError, match="is damaged: it has iteration -1, step 0"):
        read_state(path)


def test_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    path = tmp_path / "x.solverstate"
    write_state(path, SolverHistory(1, "caf\u00e9.caffemodel", [np.ones(2, np.float32)]))
    path.write_bytes(path.read_bytes().replace("\u00e9".encode(), b"\xe9."))
    assert read_state(path).learned_net == "caf\ufffd..caffemodel"

"""Snapshots: complete or not there."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from protonet.errors import FormatError, UsageError
from protonet.formats.kind import SIZE_LIMIT
from protonet.formats.solverstate import SolverHistory, read_state
from protonet.proto.caffe_pb2 import NetParameter
from protonet.train.snapshot import Snapshots, read_resume, resume_errors, resume_path, weights_of

RESUME = {"net": {"passes": 4, "layers": {}}, "tests": [], "losses": {"window": [0.1], "next": 0}}


def save(snapshots: Snapshots, iteration: int) -> tuple[Path, Path]:
    history = SolverHistory(
        iteration, str(snapshots.model(iteration)), [np.arange(3, dtype=np.float32)], 0
    )
    return snapshots.save(NetParameter(name="n"), history, RESUME)


def test_files_are_named_as_caffe_names_them(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "made" / "reg")
    model, state = save(snapshots, 150)
    assert model.name == "reg_iter_150.caffemodel"
    assert state.name == "reg_iter_150.solverstate"
    assert read_state(state).iteration == 150
    assert read_resume(state) == RESUME


def test_hdf5_files_end_in_h5(tmp_path: Path) -> None:
    model, state = save(Snapshots(tmp_path / "s", hdf5=True), 7)
    assert (model.name, state.name) == ("s_iter_7.caffemodel.h5", "s_iter_7.solverstate.h5")
    assert read_resume(state) == RESUME


def test_more_than_protobuf_holds_goes_to_hdf5(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "s")
    assert snapshots.for_size(SIZE_LIMIT) == snapshots
    assert snapshots.for_size(SIZE_LIMIT + 1) == Snapshots(tmp_path / "s", hdf5=True)


@pytest.mark.parametrize(("hdf5", "size"), [(True, 1), (False, SIZE_LIMIT + 1)])
def test_a_missing_h5py_is_told_of_before_the_training(
    hdf5: bool, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(UsageError, match="HDF5 files need h5py"):
        Snapshots(tmp_path / "s", hdf5).for_size(size)


def test_only_whole_snapshots_count(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "s")
    assert snapshots.complete() == []
    for iteration in (20, 3, 100):
        save(snapshots, iteration)
    snapshots.state(100).unlink()
    snapshots.model(20).unlink()
    (tmp_path / "s_iter_5.solverstate.tmp").touch()
    (tmp_path / "other_iter_6.solverstate").touch()
    assert snapshots.complete() == [3]
    assert Snapshots(tmp_path / "nowhere" / "s").complete() == []


def test_a_state_of_caffe_has_no_resume_file(tmp_path: Path) -> None:
    assert read_resume(tmp_path / "s_iter_1.solverstate") is None


GOOD = json.dumps(RESUME)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"net": 1}',
        "[" * 100_000,
        GOOD.replace('"passes": 4', '"passes": -4'),
        GOOD.replace('"passes": 4', '"passes": 1e30'),
        GOOD.replace('"layers": {}', '"layers": {"data": {"position": "3"}}'),
        GOOD.replace('"layers": {}', '"layers": [1]'),
        GOOD.replace('"tests": []', '"tests": [7]'),
        GOOD.replace('"tests": []', '"tests": 7'),
        GOOD.replace("[0.1]", '["0.1"]'),
        GOOD.replace('"next": 0', '"next": 1'),
        GOOD.replace("}}", '}, "loss_scale": [1024]}'),
    ],
)
def test_a_damaged_resume_file_is_refused(tmp_path: Path, text: str) -> None:
    state = tmp_path / "s_iter_1.solverstate"
    resume_path(state).write_text(text)
    with pytest.raises(
        FormatError, match=r"s_iter_1\.resume\.json: (damaged|is not a) resume file"
    ):
        read_resume(state)


def test_what_a_layer_cannot_take_up_is_told_of_the_resume_file(tmp_path: Path) -> None:
    with (
        pytest.raises(FormatError, match=r"a\.resume\.json: damaged resume file \(KeyError: 'x'\)"),
        resume_errors(tmp_path / "a.solverstate"),
    ):
        raise KeyError("x")


@pytest.mark.parametrize("name", ["", "gone.caffemodel", "..", "/", "a\0b", "a" * 5000])
def test_a_state_that_names_no_weights(tmp_path: Path, name: str) -> None:
    with pytest.raises(FormatError, match="do not exist"):
        weights_of(tmp_path / "s.solverstate", name)

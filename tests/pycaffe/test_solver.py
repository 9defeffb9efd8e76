"""Solvers in hand: Caffe's trajectories, step by step; tests, callbacks, files."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import protonet.pycaffe as caffe
from protonet.errors import NetworkError, UsageError

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = sorted(path.parent.name for path in (GOLDEN / "solvers").glob("*/data.npz"))

NET = """
layer { name: "data" type: "DummyData" top: "x" top: "t" dummy_data_param {
  shape { dim: 4 dim: 3 } shape { dim: 4 dim: 2 } data_filler { value: 1 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" }
"""
SOLVER = """
net: "net.prototxt" base_lr: 0.1 lr_policy: "step" gamma: 0.5 stepsize: 2 momentum: 0.9
max_iter: 6 display: 2 test_iter: 1 test_interval: 3 snapshot_prefix: "snap" random_seed: 3
"""


@pytest.fixture
def solver_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    monkeypatch.chdir(tmp_path)
    return "solver.prototxt"


@pytest.mark.parametrize("case", CASES)
def test_trajectories_are_caffes(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through get_solver, from Caffe's parameters, and on from its snapshot."""
    shutil.copytree(GOLDEN / "solvers" / case, tmp_path / case)
    monkeypatch.chdir(tmp_path / case)
    data = np.load("data.npz")
    solver = caffe.get_solver("solver.prototxt")
    for layer, params in solver.net.params.items():
        for place, param in enumerate(params):
            param.data[...] = data[f"param0/{layer}/{place}"]

    def step(iteration: int) -> None:
        solver.net.blobs["x"].data[...] = data["x"][iteration]
        solver.net.blobs["t"].data[...] = data["t"][iteration]
        solver.step(1)
        for layer, params in solver.net.params.items():
            for place, param in enumerate(params):
                expected = data[f"param/{iteration + 1}/{layer}/{place}"]
                np.testing.assert_allclose(param.data, expected, rtol=1e-3, atol=1e-6)

    for iteration in range(8):
        step(iteration)
    assert solver.iter == 8
    (state,) = Path().glob("snap_iter_5.solverstate*")
    solver.restore(str(state))
    assert solver.iter == 5
    for iteration in range(5, 8):
        step(iteration)


def test_digits_train_to_caffes_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its databases and test net; 100 iterations."""
    shutil.copytree(GOLDEN / "digits", tmp_path / "digits")
    monkeypatch.chdir(tmp_path / "digits")
    Path("solver.prototxt").write_text(
        Path("solver.prototxt").read_text() + 'weights: "init.caffemodel"'
    )
    solver = caffe.SGDSolver("solver.prototxt")
    solver.step(100)
    theirs = GOLDEN / "digits" / "digits_iter_100.caffemodel"
    expected = caffe.Net("train_val.prototxt", theirs, caffe.TEST)
    for name, params in expected.params.items():
        for place, param in enumerate(params):
            found = solver.net.params[name][place].data
            np.testing.assert_allclose(found, param.data, rtol=1e-3, atol=1e-4)
    (test,) = solver.test_nets
    found = np.mean([float(test.forward()["accuracy"]) for _ in range(3)])
    assert found == pytest.approx(0.707071, abs=1e-6)  # caffe.log at iteration 100


def test_settings_and_rates(solver_file: str) -> None:
    solver = caffe.get_solver(solver_file)
    assert isinstance(solver, caffe.SGDSolver)
    assert solver.param.max_iter == 6
    assert (solver.iter, solver.lr) == (0, pytest.approx(0.1))
    solver.step(2)
    assert (solver.iter, solver.lr) == (2, pytest.approx(0.05))
    assert isinstance(caffe.AdamSolver(solver_file), caffe.AdamSolver)
    assert caffe.AdamSolver(solver_file).param.type == "Adam"


def test_solve_takes_snapshots_and_goes_on_from_one(
    solver_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    solver = caffe.get_solver(solver_file)
    solver.step(4)
    solver.snapshot()
    solver.solve()
    weights = solver.net.params["ip"][0].data.copy()
    assert Path("snap_iter_6.caffemodel").exists()
    log = capsys.readouterr().err
    assert "Iteration 4 (" in log
    assert "Testing net (#0)" in log
    assert "Optimization Done." in log
    again = caffe.get_solver(solver_file)
    again.solve("snap_iter_4.solverstate")
    np.testing.assert_array_equal(again.net.params["ip"][0].data, weights)


def test_a_loop_of_one_s_own(solver_file: str) -> None:
    solver, by_hand = caffe.get_solver(solver_file), caffe.get_solver(solver_file)
    solver.step(1)
    by_hand.net.clear_param_diffs()
    by_hand.net.forward()
    by_hand.net.backward()
    by_hand.apply_update()
    assert by_hand.iter == 0
    np.testing.assert_array_equal(solver.net.params["ip"][0].data, by_hand.net.params["ip"][0].data)


def test_test_nets_and_others_use_the_parameters(solver_file: str) -> None:
    solver = caffe.get_solver(solver_file)
    param = solver.net.params["ip"][0].data
    assert np.shares_memory(solver.test_nets[0].params["ip"][0].data, param)
    other = caffe.Net("net.prototxt", caffe.TEST)
    solver.share_weights(other)
    assert np.shares_memory(other.params["ip"][0].data, param)


def test_callbacks_come_around_the_passes(solver_file: str) -> None:
    solver = caffe.get_solver(solver_file)
    seen: list[tuple[str, bool]] = []

    def note(moment: str) -> None:
        seen.append((moment, bool(solver.net.params["ip"][0].diff.any())))

    solver.add_callback(lambda: note("start"), lambda: note("ready"))
    solver.step(2)
    assert seen == [("start", False), ("ready", True)] * 2


def test_what_cannot_be(solver_file: str) -> None:
    with pytest.raises(UsageError):
        caffe.get_solver("nowhere.prototxt")
    Path(solver_file).write_text(SOLVER + 'type: "Sgdd"')
    with pytest.raises(NetworkError, match="Sgdd"):
        caffe.get_solver(solver_file)

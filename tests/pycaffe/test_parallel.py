"""What scripts for several GPUs ask, answered for one process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import protonet.pycaffe as caffe
from protonet.errors import UsageError
from tests.pycaffe.conftest import TRAIN


def test_there_is_one_solver() -> None:
    caffe.set_solver_count(1)
    caffe.set_solver_rank(0)
    caffe.set_multiprocess(True)
    assert (caffe.solver_count(), caffe.solver_rank(), caffe.has_nccl()) == (1, 0, False)
    with pytest.raises(UsageError, match=r"set_solver_count\(2\): nets are .* -gpu 0,1"):
        caffe.set_solver_count(2)
    with pytest.raises(UsageError, match=r"set_solver_rank\(1\): .*; expected 0"):
        caffe.set_solver_rank(1)


def trained(folder: Path, alone: bool) -> np.ndarray:
    """Weights after three steps, with and without what Caffe's train.py adds."""
    (folder / "net.prototxt").write_text(TRAIN)
    (folder / "solver.prototxt").write_text(
        'net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" momentum: 0.9 max_iter: 3 '
        'random_seed: 1 snapshot_prefix: "s" layer_wise_reduce: true'
    )
    solver = caffe.get_solver(folder / "solver.prototxt")
    data = solver.net.blobs["data"].data
    data[...] = np.arange(data.size).reshape(data.shape) / data.size
    if not alone:
        uid = caffe.NCCL.new_uid()
        assert isinstance(uid, bytes)
        nccl = caffe.NCCL(solver, uid)
        nccl.bcast()
        solver.add_callback(nccl)
        solver.net.after_backward(nccl)
    solver.step(3)
    return solver.net.params["fc"][0].data.copy()


def test_the_steps_of_caffes_train_py_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    alone, with_nccl = trained(tmp_path, True), trained(tmp_path, False)
    np.testing.assert_array_equal(alone, with_nccl)
    assert np.ptp(alone) > 0


def test_a_callback_needs_both_functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trained(tmp_path, True)
    solver = caffe.get_solver("solver.prototxt")
    with pytest.raises(TypeError, match="on_gradients_ready"):
        solver.add_callback(lambda: None)

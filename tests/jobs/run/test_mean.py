"""The mean in a run's folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.data.transform import load_mean
from protonet.errors import UsageError
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.mean import copy_mean, find_copies
from protonet.proto.caffe_pb2 import NetParameter


def test_a_mean_is_copied_as_caffe_has_it(gradients: Path, tmp_path: Path) -> None:
    given, copied = gradients / "train_mean.binaryproto", tmp_path / "mean.binaryproto"
    copy_mean(given, copied)
    assert copied.read_bytes() == given.read_bytes()
    np.save(tmp_path / "mean.npy", np.arange(30, dtype=np.float32).reshape(2, 3, 5))
    copy_mean(tmp_path / "mean.npy", copied)
    np.testing.assert_array_equal(load_mean(copied), np.load(tmp_path / "mean.npy"))
    with pytest.raises(UsageError, match=r"absent\.npy: cannot be read: No such file"):
        copy_mean(tmp_path / "absent.npy", copied)


def test_the_runs_own_copy_stands_for_a_mean_that_is_gone(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", "x")
    (tmp_path / "there").touch()
    net = NetParameter()
    for mean in (tmp_path / "gone", tmp_path / "there", ""):
        net.layer.add(type="Data").transform_param.mean_file = str(mean)
    names = [layer.transform_param.mean_file for layer in net.layer]
    find_copies(run, [net])
    assert [layer.transform_param.mean_file for layer in net.layer] == names
    run.mean.touch()
    find_copies(run, [net])
    own = str(run.mean.resolve())
    assert [layer.transform_param.mean_file for layer in net.layer] == [own, *names[1:]]

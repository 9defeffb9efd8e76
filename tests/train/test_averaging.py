"""Averaged weights: the formula, who sees them, and where they are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.formats.caffemodel import read_weights
from protonet.graph.net import Net
from protonet.proto.caffe_pb2 import TEST, SolverParameter
from protonet.train import events
from protonet.train.averaging import WeightAverage
from protonet.train.snapshot import Snapshots
from protonet.train.trainer import Trainer
from tests.graph.nets import plan_of

NET = """
name: "small"
layer { name: "data" type: "DummyData" top: "x" top: "t" dummy_data_param {
  shape { dim: 4 dim: 3 } shape { dim: 4 dim: 2 }
  data_filler { type: "gaussian" } data_filler { type: "uniform" } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" }
"""


def trainer_of(folder: Path, listeners: Any = (), average: float | None = 0.9) -> Trainer:
    solver = SolverParameter(
        base_lr=0.1, lr_policy="fixed", momentum=0.5, max_iter=6, snapshot=3, test_interval=3
    )
    device = Device("cpu")
    train = Net(plan_of(NET), device, seed=1)
    test = Net(plan_of(NET, TEST), device, seed=1, params_of=train)
    return Trainer(solver, train, [(test, 2)], Snapshots(folder / "s"), listeners, average=average)


def test_the_mean_forgets_more_in_the_beginning() -> None:
    net = Net(plan_of(NET), Device("cpu"), seed=1)
    param = net.params["ip"][0].data
    expected = param.astype(np.float64)
    average = WeightAverage(net, 0.3)
    for iteration in range(6):
        param[...] = iteration
        average.update(iteration)
        decay = min(0.3, (1 + iteration) / (10 + iteration))
        expected = decay * expected + (1 - decay) * iteration
    with average.in_place():
        np.testing.assert_allclose(param, expected, rtol=1e-6)
    np.testing.assert_array_equal(param, np.full((2, 3), 5))


def test_validation_measures_the_averages_and_training_goes_on_without_them(tmp_path: Path) -> None:
    losses: dict[float | None, list[float]] = {}
    ends = []
    for average in (None, 0.9):
        heard: list[events.Event] = []
        trainer = trainer_of(tmp_path / str(average), [heard.append], average)
        trainer.run()
        losses[average] = [e.outputs[0].value for e in heard if isinstance(e, events.Tested)]
        ends.append(trainer.net.store.data.copy())
    np.testing.assert_array_equal(*ends)
    assert losses[None][0] == losses[0.9][0]
    assert losses[None][1:] != losses[0.9][1:]


def test_averages_are_kept_beside_the_weights_and_taken_up_again(tmp_path: Path) -> None:
    whole = trainer_of(tmp_path / "whole")
    whole.run()
    again = trainer_of(tmp_path / "again")
    again.restore(tmp_path / "whole" / "s_iter_3.solverstate")
    again.run()
    averages = []
    for folder in ("whole", "again"):
        snapshots = Snapshots(tmp_path / folder / "s")
        assert snapshots.best_model(6) == snapshots.average(6)
        averages.append(read_weights(snapshots.average(6))["ip"])
    for ours, theirs in zip(*averages, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    trained = read_weights(tmp_path / "whole" / "s_iter_6.caffemodel")["ip"]
    assert not np.array_equal(trained[0], averages[0][0])


def test_a_state_without_averages_begins_them_anew(tmp_path: Path) -> None:
    trainer_of(tmp_path, average=None).run()
    trainer = trainer_of(tmp_path)
    trainer.restore(tmp_path / "s_iter_3.solverstate")
    assert trainer.average is not None
    weights = trainer.net.store.data.copy()
    with trainer.average.in_place():
        np.testing.assert_array_equal(trainer.net.store.data, weights)


def test_snapshots_remove_their_averages(tmp_path: Path) -> None:
    trainer_of(tmp_path).run()
    snapshots = Snapshots(tmp_path / "s")
    assert snapshots.average(3).exists()
    snapshots.remove(3)
    assert not snapshots.average(3).exists()
    assert snapshots.best_model(3) == snapshots.model(3)


@pytest.mark.parametrize("ending", ["caffemodel", "caffemodel.h5"])
def test_the_name_says_what_it_is(tmp_path: Path, ending: str) -> None:
    snapshots = Snapshots(tmp_path / "s", hdf5=ending.endswith("h5"))
    assert snapshots.average(12).name == f"s_iter_12.average.{ending}"

"""A training whose iterations are recorded beside one that is run call by call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.net import Net
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.train.stepping import Recorded, Stepping
from protonet.train.trainer import Trainer
from tests.graph.nets import plan_of
from tests.kernels.cuda.emulation import QUEUE, EmulatedDevice, needs_compiler

NET = """
name: "small"
layer { name: "data" type: "DummyData" top: "x" top: "t" dummy_data_param {
  shape { dim: 4 dim: 2 dim: 6 dim: 5 } shape { dim: 4 }
  data_filler { type: "gaussian" } data_filler { type: "constant" value: 1 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "c"
  convolution_param { num_output: 3 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "norm" type: "BatchNorm" bottom: "c" top: "n" }
layer { name: "scale" type: "Scale" bottom: "n" top: "s" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "s" top: "s" }
layer { name: "drop" type: "Dropout" bottom: "s" top: "s" }
layer { name: "ip" type: "InnerProduct" bottom: "s" top: "y"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "y" bottom: "t" top: "loss" }
"""


def trained(device: Device, recorded: bool, **settings: Any) -> tuple[list[np.ndarray], Trainer]:
    """Parameters after ten iterations, of which one is displayed."""
    base: dict[str, Any] = {
        "base_lr": 0.1, "lr_policy": "exp", "gamma": 0.9, "momentum": 0.9, "weight_decay": 0.01,
        "max_iter": 10, "display": 6, "type": "SGD",
    }  # fmt: skip
    net = Net(plan_of(NET), device, seed=3, fuse=True)
    trainer = Trainer(SolverParameter(**{**base, **settings}), net)
    trainer._ticked = float("inf")  # no reading between displays, however slow the machine is
    if not recorded:
        trainer.stepping = Stepping(net, trainer.rule, trainer.stepping.losses)
    trainer.advance(10)
    return [np.array(device.get(param.data)) for param in net.store.params], trainer


@needs_compiler
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"iter_size": 2},
        {"type": "Adam", "momentum2": 0.99, "clip_gradients": 0.5, "lr_policy": "fixed"},
    ],
    ids=str,
)
def test_recorded_iterations_are_those_of_the_calls(settings: dict[str, Any]) -> None:
    expected, _ = trained(EmulatedDevice(), False, **settings)
    QUEUE.captures = QUEUE.launches = 0
    found, trainer = trained(EmulatedDevice(), True, **settings)
    assert isinstance(trainer.stepping, Recorded)
    assert trainer.stepping.refusals == set()
    assert QUEUE.launches >= 6
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert trainer.net.clock.iteration == 10 * settings.get("iter_size", 1)
    assert int(trainer.net.clock.on_device[0]) == trainer.net.clock.iteration


@needs_compiler
def test_the_emulated_training_is_that_of_the_cpu() -> None:
    found, _ = trained(EmulatedDevice(), True)
    expected, trainer = trained(Device("cpu"), True)
    assert type(trainer.stepping) is Stepping
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.parametrize("settings", [{}, {"iter_size": 2}, {"type": "Adam", "momentum2": 0.99}])
def test_a_gpu_trains_the_same_recorded(settings: dict[str, Any]) -> None:
    expected, _ = trained(Device("cuda:0"), False, **settings)
    found, trainer = trained(Device("cuda:0"), True, **settings)
    assert isinstance(trainer.stepping, Recorded)
    assert trainer.stepping.refusals == set()
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)

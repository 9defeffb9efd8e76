"""A training whose iterations are captured as CUDA graphs, compared with an eager one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.net import Net
from protonet.precision import type_of
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.train.events import Event, Warned
from protonet.train.train_step import CapturedTrainStep, TrainStep
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


def trained(device: Device, captured: bool, **settings: Any) -> tuple[list[np.ndarray], Trainer]:
    """Parameters after ten iterations, of which one is displayed."""
    base: dict[str, Any] = {
        "base_lr": 0.1, "lr_policy": "exp", "gamma": 0.9, "momentum": 0.9, "weight_decay": 0.01,
        "max_iter": 10, "display": 6, "type": "SGD",
    }  # fmt: skip
    precision = type_of(settings.pop("precision", "float32"))
    net = Net(plan_of(NET), device, seed=3, fuse=True, precision=precision)
    trainer = Trainer(SolverParameter(**{**base, **settings}), net)
    trainer.progress.last_tick = float(
        "inf"
    )  # no reading between displays, however slow the machine is
    if not captured:
        trainer.train_step = TrainStep(net, trainer.rule, trainer.train_step.losses, trainer.scale)
    trainer.advance(10)
    return [np.array(device.get(param.data)) for param in net.store.params], trainer


@needs_compiler
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"iter_size": 2},
        {"average_loss": 4},
        {"type": "Adam", "momentum2": 0.99, "clip_gradients": 0.5, "lr_policy": "fixed"},
        {"precision": "float16"},
        {"precision": "bfloat16", "iter_size": 2},
    ],
    ids=str,
)
def test_captured_iterations_equal_eager_ones(settings: dict[str, Any]) -> None:
    expected, called = trained(EmulatedDevice(), False, **settings)
    QUEUE.captures = QUEUE.launches = 0
    found, trainer = trained(EmulatedDevice(), True, **settings)
    for each in (trainer, called):
        each._take_losses()
    assert len(trainer.smoothed.losses) == settings.get("average_loss", 1)
    assert trainer.smoothed.value == pytest.approx(called.smoothed.value, rel=1e-12)
    assert isinstance(trainer.train_step, CapturedTrainStep)
    assert trainer.train_step.capture_errors == frozenset()
    assert QUEUE.launches >= 6
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert trainer.net.clock.iteration == 10 * settings.get("iter_size", 1)
    assert int(trainer.net.clock.on_device[0]) == trainer.net.clock.iteration


@needs_compiler
@pytest.mark.parametrize("device", [Device, EmulatedDevice])
@pytest.mark.parametrize("iter_size", [1, 2])
def test_gradients_that_are_written_train_the_same(device: type[Device], iter_size: int) -> None:
    found = []
    for alone in (False, True):
        solver = SolverParameter(
            type="SGD", base_lr=0.1, lr_policy="fixed", momentum=0.9, iter_size=iter_size
        )
        net = Net(plan_of(NET), device(), seed=3, fuse=True)
        Trainer(solver, net, alone=alone).advance(6)
        assert net.params["ip"][0].rewritten is (alone and iter_size == 1)
        found.append(np.array(net.store.data))
    np.testing.assert_array_equal(found[0], found[1])


@needs_compiler
def test_the_emulated_training_is_that_of_the_cpu() -> None:
    found, _ = trained(EmulatedDevice(), True)
    expected, trainer = trained(Device("cpu"), True)
    assert type(trainer.train_step) is TrainStep
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def learned(net: Net) -> np.ndarray:
    """The weight of the convolution, which only updates move."""
    return np.array(net.params["conv"][0].data)


@needs_compiler
def test_captured_iterations_skip_updates_that_overflow() -> None:
    """A scale that makes gradients infinite in float16 is halved until they are not."""
    _, trainer = trained(EmulatedDevice(), True, precision="float16", max_iter=0)
    assert trainer.scale is not None
    trainer.scale.restore([2.0**40, 0.0])
    before = learned(trainer.net)
    trainer.advance(5)
    np.testing.assert_array_equal(learned(trainer.net), before)
    assert trainer.scale.state() == [2.0**35, 0.0]
    trainer.scale.restore([1024.0, 0.0])
    trainer.advance(2)
    assert (learned(trainer.net) != before).all()
    assert trainer.scale.state() == [1024.0, 2.0]


@needs_compiler
def test_a_failed_capture_is_reported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    device = EmulatedDevice()
    net = Net(plan_of(NET), device, seed=3)
    told: list[Event] = []
    trainer = Trainer(
        SolverParameter(type="SGD", base_lr=0.1, lr_policy="fixed"), net, listeners=[told.append]
    )
    kind = type(net.layers[1])
    forward = kind.forward

    def waits(layer: Any, bottoms: Any, tops: Any) -> None:
        device.synchronize()
        forward(layer, bottoms, tops)

    monkeypatch.setattr(kind, "forward", waits)
    net._prepare()
    trainer.progress.last_tick = float("inf")
    trainer.advance(4)
    for _ in range(2):
        trainer._report_capture_errors()
    (warned,) = [event for event in told if isinstance(event, Warned)]
    assert "synchronize during stream capture" in warned.message


@needs_compiler
def test_closed_it_keeps_no_graph() -> None:
    """NCCL waits for them when it ends (commDestroySync in src/init.cc of NCCL 2.27)."""
    _, trainer = trained(EmulatedDevice(), True)
    step = trainer.train_step
    assert isinstance(step, CapturedTrainStep)
    graphs = (step._passes_graph, step._update_graph, step._iteration_graph)
    assert any(graph._graphs for graph in graphs)
    step.close()
    assert not any(graph._graphs for graph in graphs)


@pytest.mark.gpu
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"iter_size": 2},
        {"type": "Adam", "momentum2": 0.99},
        {"average_loss": 4},
        {"precision": "float16"},
        {"precision": "bfloat16"},
    ],
    ids=str,
)
def test_a_gpu_trains_the_same_captured(settings: dict[str, Any]) -> None:
    expected, _ = trained(Device("cuda:0"), False, **settings)
    found, trainer = trained(Device("cuda:0"), True, **settings)
    assert isinstance(trainer.train_step, CapturedTrainStep)
    assert trainer.train_step.capture_errors == frozenset()
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)

"""Losses as they come, and losses that stay on the device until they are asked for."""

from __future__ import annotations

import tracemalloc
from typing import cast

import pytest

from protonet.device import Device
from protonet.graph.net import Net
from protonet.train.losses import DeviceLosses, Losses, losses_of
from tests.graph.nets import plan_of
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler

NET = (
    'layer { name: "in" type: "Input" top: "x" top: "t" input_param { '
    "shape { dim: 1 dim: 2 } shape { dim: 1 dim: 2 } } }\n"
    'layer { name: "one" type: "EuclideanLoss" bottom: "x" bottom: "t" top: "one" '
    "loss_weight: 4 }\n"
    'layer { name: "two" type: "Power" bottom: "x" top: "two" loss_weight: 1 }\n'
)


def iterate(losses: Losses, first: float, passes: int = 2) -> None:
    """An iteration whose passes have the losses 4 x^2 + 2 x for x = first, first + 1, ..."""
    losses.count()
    losses.begin()
    for at in range(passes):
        losses.net.blobs["x"].data.fill(first + at)
        losses.net.forward()
        losses.take()


def check_losses(losses: Losses) -> None:
    """Means over two passes; the newest three where more came; none twice."""
    iterate(losses, 0)
    assert losses.collect() == [3.0]
    assert losses.collect() == []
    for first in range(5):
        iterate(losses, first)
    assert losses.collect() == [31.0, 57.0, 91.0]
    iterate(losses, 1)
    iterate(losses, 0)
    assert losses.collect() == [13.0, 3.0]


def test_a_cpu_reads_them_as_they_come() -> None:
    losses = losses_of(Net(plan_of(NET), Device()), 2, 3)
    assert type(losses) is Losses
    check_losses(losses)


@needs_compiler
def test_a_gpu_keeps_them() -> None:
    losses = losses_of(Net(plan_of(NET), EmulatedDevice()), 2, 3)
    assert type(losses) is DeviceLosses
    check_losses(losses)


@pytest.mark.gpu
def test_a_real_gpu_keeps_them() -> None:
    check_losses(losses_of(Net(plan_of(NET), Device("cuda:0")), 2, 3))


class FixedLoss:
    """Stands in for a net: its loss counts the passes."""

    def __init__(self) -> None:
        self.passes = 0

    def loss(self) -> float:
        self.passes += 1
        return float(self.passes)


def test_losses_that_nobody_asks_for_are_not_kept() -> None:
    losses = Losses(cast(Net, FixedLoss()), 1, 3)
    tracemalloc.start()
    for _ in range(50_000):
        losses.count()
        losses.take()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 10_000
    assert losses.collect() == [49_998.0, 49_999.0, 50_000.0]
    assert losses.collect() == []

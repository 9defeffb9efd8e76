"""Convolutions of a GPU: all ways beside the definition, run on the CPU and on a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.convolution import Convolve
from protonet.kernels.cuda import ways
from protonet.kernels.windows import Windows, window_outputs
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import Hand, assert_same

# items, channels, outputs, group, then inputs, kernel, stride, pad, dilation
CASES = {
    "plain": (2, 3, 5, 1, (7, 9), (3, 3), (1, 1), (1, 1), (1, 1)),
    "uneven": (3, 2, 4, 1, (8, 5), (3, 2), (2, 1), (0, 1), (1, 2)),
    "grouped": (2, 4, 6, 2, (6, 7), (3, 3), (2, 2), (1, 1), (1, 1)),
    "pointwise": (3, 6, 4, 1, (4, 5), (1, 1), (1, 1), (0, 0), (1, 1)),
    "pointwise in groups": (3, 6, 4, 2, (4, 5), (1, 1), (1, 1), (0, 0), (1, 1)),
    "depthwise": (2, 5, 5, 5, (7, 6), (3, 3), (1, 2), (1, 1), (1, 1)),
    "two for each channel": (2, 3, 6, 3, (7, 6), (3, 2), (2, 1), (1, 0), (1, 2)),
    "one axis": (3, 4, 5, 1, (11,), (3,), (2,), (1,), (1,)),
    "large": (4, 7, 8, 1, (23, 21), (5, 5), (1, 1), (2, 2), (1, 1)),
}
MORE_AXES = {
    "three axes": (3, 4, 6, 2, (4, 6, 5), (3, 2, 1), (1, 2, 1), (1, 0, 0), (1, 2, 1)),
    "three axes, depthwise": (2, 3, 6, 3, (4, 3, 5), (2, 3, 2), (2, 1, 1), (0, 1, 1), (1, 1, 2)),
    "three axes, pointwise": (2, 3, 4, 1, (3, 4, 5), (1, 1, 1), (1, 1, 1), (0, 0, 0), (1, 1, 1)),
    "four axes": (2, 2, 3, 1, (3, 4, 2, 5), (2, 3, 1, 2), (1, 1, 1, 2), (1, 0, 0, 1), (1,) * 4),
}
"""What cuDNN is not asked for."""
EACH = pytest.mark.parametrize(
    "case", [*CASES.values(), *MORE_AXES.values()], ids=[*CASES, *MORE_AXES]
)


def passes(device: Device, dtype: Any, case: Any, engine: str = "CAFFE") -> list[np.ndarray]:
    items, channels, outputs, group, inputs, *shape = case
    windows = Windows(inputs, *shape, window_outputs(inputs, *shape))
    kernel = Convolve.make(device, dtype, windows, items, channels, outputs, group, engine)
    hand = Hand(device, dtype)
    x, dy = hand.drawn(items, channels, *inputs), hand.drawn(items, outputs, *windows.outputs)
    w = hand.drawn(outputs, channels // group, *windows.kernel)
    bias, factor = hand.drawn(outputs), hand.drawn(outputs)
    y, rectified, scaled = (hand.blank(*dy.shape) for _ in range(3))
    dx, dw = hand.blank(*x.shape), hand.ones(*w.shape)
    kernel.forward(x, w, None, y)
    kernel.forward(x, w, bias, rectified, rectify=True)
    kernel.forward(x, w, bias, scaled, factor=factor)
    kernel.backward(dy, w, dx)
    kernel.learn(dy, x, dw)
    return hand.back(y, rectified, scaled, dx, dw)


@needs_compiler
@EACH
@pytest.mark.parametrize("room", [1, 256 << 20], ids=["image by image", "whole batch"])
def test_our_ways_meet_the_definition(
    case: Any, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ways, "COLUMNS", room)
    found = passes(EmulatedDevice(), np.float32, case)
    assert_same(found, passes(Device("cpu", tuned=False), np.float64, case))


@pytest.mark.gpu
@EACH
@pytest.mark.parametrize("engine", ["CAFFE", "CUDNN"])
def test_a_gpu_meets_the_definition(case: Any, engine: str) -> None:
    found = passes(Device("cuda:0"), np.float32, case, engine)
    assert_same(found, passes(Device("cpu", tuned=False), np.float64, case, engine))


@needs_compiler
def test_more_rows_than_a_grid_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways, "_MOST_ROWS", 10)
    found = passes(EmulatedDevice(), np.float32, CASES["plain"])
    assert_same(found, passes(Device("cpu", tuned=False), np.float64, CASES["plain"]))

"""Convolutions of a GPU: all ways beside the definition, run on the CPU and on a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.convolution import Convolve
from protonet.kernels.cuda import convolution_algorithms as algorithms
from protonet.kernels.windows import Windows, window_outputs
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import TYPES, Hand, assert_meets

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

RTOL = {"float32": 4e-6, "float16": 3 * 2.0**-11, "bfloat16": 3 * 2.0**-8}
"""Of gradients of weights by cuDNN, which come in the type of values."""

EACH = pytest.mark.parametrize(
    "case", [*CASES.values(), *MORE_AXES.values()], ids=[*CASES, *MORE_AXES]
)


def passes(hand: Hand, case: Any, engine: str = "CAFFE") -> list[np.ndarray]:
    items, channels, outputs, group, inputs, *shape = case
    windows = Windows(inputs, *shape, window_outputs(inputs, *shape))
    kernel = hand.make(Convolve, windows, items, channels, outputs, group, engine)
    x, dy = hand.drawn(items, channels, *inputs), hand.drawn(items, outputs, *windows.outputs)
    w = hand.weights(outputs, channels // group, *windows.kernel)
    bias, factor = hand.weights(outputs), hand.weights(outputs)
    y, rectified, scaled = (hand.blank(*dy.shape) for _ in range(3))
    dx, dw = hand.blank(*x.shape), hand.ones(*w.shape)
    kernel.forward(x, w, None, y)
    kernel.forward(x, w, bias, rectified, rectify=True)
    kernel.forward(x, w, bias, scaled, factor=factor)
    kernel.backward(dy, w, dx)
    kernel.learn(dy, x, dw)
    return hand.back(y, rectified, scaled, dx, dw)


@needs_compiler
@TYPES
@EACH
@pytest.mark.parametrize("room", [1, 256 << 20], ids=["image by image", "whole batch"])
def test_our_ways_meet_the_definition(
    dtype: str, case: Any, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(algorithms, "COLUMNS", room)
    assert_meets(passes, EmulatedDevice(), dtype, case)


@pytest.mark.gpu
@TYPES
@EACH
def test_our_ways_on_a_gpu_meet_the_definition(dtype: str, case: Any) -> None:
    assert_meets(passes, Device("cuda:0"), dtype, case)


@pytest.mark.gpu
@TYPES
@EACH
def test_cudnn_meets_the_definition(dtype: str, case: Any) -> None:
    # it is told that arrays begin at multiples of 16 bytes, as whole ones do
    rtol = RTOL[dtype]
    assert_meets(passes, Device("cuda:0"), dtype, case, "CUDNN", rtol=rtol, shifts=(0,))


@needs_compiler
def test_more_rows_than_a_grid_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(algorithms, "_MOST_ROWS", 10)
    assert_meets(passes, EmulatedDevice(), "float32", CASES["plain"])

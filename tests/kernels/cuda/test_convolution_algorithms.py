"""Which way a convolution takes; ``test_convolution.py`` holds every way to the definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.kernels.convolution import Convolve
from protonet.kernels.cuda.convolution_algorithms import OWN_ALGORITHMS, Epilogue, Shapes
from protonet.kernels.cuda.launch import Extent
from protonet.kernels.kernel import select_algorithm
from protonet.kernels.windows import Windows, window_outputs
from tests.kernels.cuda.emulation import EmulatedDevice
from tests.kernels.cuda.test_convolution import CASES, MORE_AXES


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("plain", "Im2col"),
        ("grouped", "Im2col"),
        ("pointwise", "Pointwise"),
        ("pointwise in groups", "Pointwise"),
        ("depthwise", "Depthwise"),
        ("two for each channel", "Depthwise"),
        ("three axes", "Im2colAxes"),
        ("three axes, depthwise", "Im2colAxes"),
        ("three axes, pointwise", "Pointwise"),
    ],
)
def test_shapes_decide(name: str, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    items, channels, outputs, group, inputs, *shape = {**CASES, **MORE_AXES}[name]
    windows = Windows(inputs, *shape, window_outputs(inputs, *shape))
    monkeypatch.setattr(
        "protonet.kernels.cuda.convolution_algorithms.compiled", lambda *given: None
    )
    kernel: Any = Convolve.make(
        EmulatedDevice(), np.float32, windows, items, channels, outputs, group
    )
    chosen = select_algorithm(OWN_ALGORITHMS, windows, channels, group)
    assert way in type(chosen(kernel, channels, outputs, group)).__name__


def test_one_axis_is_the_second_of_two() -> None:
    windows = Windows((9,), (3,), (2,), (1,), (1,), (5,))
    shapes = Shapes.of(windows, 4)
    assert shapes == (4, 1, 9, 1, 3, 1, 2, 0, 1, 1, 1, 1, 5)
    divided = shapes.dividing("width", "out_w")
    assert divided == shapes
    assert {name for name in divided._fields if isinstance(getattr(divided, name), Extent)} == {
        "width",
        "out_w",
    }


def test_nothing_may_be_left_to_do() -> None:
    assert Epilogue(None, None, False).is_nothing
    assert not Epilogue(None, None, True).is_nothing

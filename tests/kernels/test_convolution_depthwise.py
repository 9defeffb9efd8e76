"""The compiled depthwise convolution beside the definition of all convolutions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.convolution import Convolve
from protonet.kernels.windows import Windows, window_outputs
from tests.kernels.instructions import MODULES, use

CASES = [
    # items, channels, outputs, inputs, kernel, stride, pad, dilation
    (2, 3, 3, (7, 9), (3, 3), (1, 1), (1, 1), (1, 1)),
    (2, 3, 3, (14, 13), (3, 3), (2, 2), (1, 1), (1, 1)),
    (2, 3, 3, (115, 113), (3, 3), (1, 1), (1, 1), (1, 1)),
    (1, 2, 2, (150, 113), (3, 3), (2, 2), (1, 1), (1, 1)),
    (3, 2, 6, (17, 35), (5, 5), (1, 1), (2, 2), (1, 1)),
    (3, 2, 4, (17, 35), (5, 5), (2, 2), (2, 2), (1, 1)),
    (2, 3, 3, (19, 40), (3, 3), (1, 1), (2, 2), (2, 2)),
    (2, 3, 9, (19, 41), (3, 2), (2, 1), (0, 1), (1, 3)),
    (2, 5, 5, (9, 8), (2, 4), (3, 3), (1, 2), (1, 1)),
    (2, 5, 5, (9, 8), (1, 1), (2, 2), (0, 0), (1, 1)),
    (2, 5, 5, (20, 50), (1, 1), (1, 1), (0, 0), (1, 1)),
    (2, 5, 5, (6, 7), (2, 2), (4, 4), (0, 0), (1, 1)),
    (2, 5, 5, (23, 70), (4, 4), (2, 2), (1, 1), (1, 1)),
    (2, 3, 3, (3, 2), (3, 2), (1, 1), (2, 5), (1, 1)),
    (2, 3, 6, (40,), (5,), (2,), (3,), (1,)),
]


def arrays(case: Any) -> tuple[tuple[Any, ...], list[np.ndarray]]:
    """The kernel's arguments, and x, w, bias, dy."""
    items, channels, outputs, inputs, kernel, stride, pad, dilation = case
    places = window_outputs(inputs, kernel, stride, pad, dilation)
    windows = Windows(inputs, kernel, stride, pad, dilation, places)
    generator = np.random.default_rng(3)
    shapes = [
        (items, channels, *inputs),
        (outputs, 1, *kernel),
        (outputs,),
        (items, outputs, *places),
    ]
    return (windows, items, channels, outputs, channels), [
        generator.normal(size=shape) for shape in shapes
    ]


def passes(kernel: Convolve, given: list[np.ndarray], dtype: type) -> list[np.ndarray]:
    """y, y with bias and rectified, the same plus dy, dx and 1 + dw."""
    x, w, bias, dy = (each.astype(dtype) for each in given)
    y, rectified, added = np.full((3, *dy.shape), np.nan, dtype)
    dx, dw = np.full(x.shape, np.nan, dtype), np.ones(w.shape, dtype)
    kernel.forward(x, w, None, y)
    kernel.forward(x, w, bias, rectified, rectify=True)
    kernel.forward(x, w, bias, added, rectify=True, addend=dy)
    kernel.backward(dy, w, dx)
    kernel.learn(dy, x, dw)
    return [y, rectified, added, dx, dw]


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_instruction_set_meets_the_definition(
    case: Any, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(module, monkeypatch)
    compiled = native.load()
    arguments, given = arrays(case)
    tuned = Convolve.make(Device("cpu"), np.float32, *arguments)
    assert isinstance(tuned._native, compiled.Depthwise)
    definition = Convolve.make(Device("cpu", tuned=False), np.float64, *arguments)
    for found, expected in zip(
        passes(tuned, given, np.float32), passes(definition, given, np.float64), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("module", MODULES)
def test_what_no_window_reads_counts_nowhere(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(module, monkeypatch)
    arguments, (x, w, bias, dy) = arrays((2, 3, 3, (8, 8), (3, 3), (2, 2), (0, 0), (1, 1)))
    x[:, :, -1], x[:, :, :, -1] = np.inf, np.nan
    tuned = Convolve.make(Device("cpu"), np.float32, *arguments)
    for result in passes(tuned, [x, w, bias, dy], np.float32):
        assert np.isfinite(result).all()
    x[0, 1, 2, 3] = np.nan
    plain, rectified, *_ = passes(tuned, [x, w, bias, dy], np.float32)
    for result in (plain, rectified):
        assert np.argwhere(np.isnan(result)).tolist() == [[0, 1, 0, 1], [0, 1, 1, 1]]


def test_the_number_of_threads_changes_no_bit() -> None:
    module = native.load()
    arguments, given = arrays((5, 40, 40, (33, 31), (3, 3), (2, 2), (1, 1), (1, 1)))
    kernel = Convolve.make(Device("cpu"), np.float32, *arguments)
    before, found = module.threads(), []
    for threads in (1, 2, 3, 5):
        module.set_threads(threads)
        found.append(passes(kernel, given, np.float32))
    module.set_threads(before)
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            np.testing.assert_array_equal(one, other)

"""The compiled convolution beside its definition, and what decides which of them runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.convolution import Convolve, NativeConvolve
from protonet.kernels.windows import Windows, window_outputs
from tests.kernels.instructions import MODULES, use

CASES = [
    # items, channels, outputs, group, inputs, kernel, stride, pad, dilation
    (2, 3, 5, 1, (7, 9), (3, 3), (1, 1), (1, 1), (1, 1)),
    (2, 3, 20, 1, (27, 23), (5, 3), (2, 3), (2, 1), (1, 1)),
    (3, 4, 6, 2, (15, 14), (1, 1), (2, 2), (0, 0), (1, 1)),
    (3, 4, 6, 1, (15, 14), (1, 1), (1, 1), (0, 0), (1, 1)),
    (1, 8, 40, 4, (30, 31), (3, 3), (1, 1), (2, 2), (2, 2)),
    (17, 12, 64, 1, (7, 7), (3, 3), (1, 1), (1, 1), (1, 1)),
    (2, 3, 33, 1, (55, 60), (11, 11), (4, 4), (0, 0), (1, 1)),
    (2, 5, 7, 1, (6, 6), (2, 2), (4, 4), (0, 0), (1, 1)),
    (4, 600, 30, 1, (5, 5), (1, 1), (1, 1), (1, 1), (1, 1)),
    (2, 3, 4, 1, (40,), (5,), (2,), (3,), (1,)),
    # single places: lanes of outputs, and of places
    (1, 40, 70, 1, (7, 7), (1, 1), (1, 1), (0, 0), (1, 1)),
    (9, 33, 17, 1, (12, 12), (1, 1), (1, 1), (0, 0), (1, 1)),
    (1, 12, 45, 1, (25, 26), (1, 1), (1, 1), (0, 0), (1, 1)),
    (2, 14, 30, 2, (23, 24), (1, 1), (1, 1), (0, 0), (1, 1)),
    (1, 6, 20, 1, (46, 48), (1, 1), (2, 2), (0, 0), (1, 1)),
    # single places over large planes, in more than one sum, and over several whole images
    (3, 300, 21, 1, (23, 27), (1, 1), (1, 1), (0, 0), (1, 1)),
    (2, 9, 290, 1, (25, 31), (1, 1), (1, 1), (0, 0), (1, 1)),
    (5, 20, 15, 1, (12, 13), (1, 1), (1, 1), (0, 0), (1, 1)),
    # single windows, of a plane or a column: values behind them, which no window reads
    (3, 20, 30, 1, (2, 2), (1, 1), (2, 2), (0, 0), (1, 1)),
    (2, 6, 14, 2, (2, 40), (1, 1), (3, 1), (0, 0), (1, 1)),
    (2, 6, 40, 1, (2, 600), (1, 1), (2, 1), (0, 0), (1, 1)),
    (5, 47, 32, 1, (7, 17), (3, 3), (9, 1), (1, 0), (1, 1)),
    (5, 32, 122, 2, (5, 8), (5, 5), (1, 7), (0, 1), (1, 1)),
    # few channels
    (3, 1, 20, 1, (28, 28), (5, 5), (1, 1), (0, 0), (1, 1)),
    (1, 3, 33, 1, (45, 70), (3, 3), (2, 2), (1, 1), (1, 1)),
    (2, 4, 17, 1, (19, 21), (3, 4), (3, 1), (2, 1), (2, 2)),
    (2, 6, 32, 2, (40, 41), (7, 7), (2, 2), (3, 3), (1, 1)),
    # windows that stay inside the image
    (5, 6, 9, 1, (12, 12), (5, 5), (1, 1), (0, 0), (1, 1)),
    (2, 6, 10, 2, (11, 29), (5, 4), (1, 1), (0, 0), (2, 3)),
    (1, 4, 40, 1, (7, 8), (6, 6), (1, 1), (0, 0), (1, 1)),
    (3, 2, 7, 1, (40,), (5,), (1,), (0,), (2,)),
    # almost so: one axis differs from what the way for them asks
    (1, 4, 40, 1, (7, 8), (6, 6), (1, 1), (0, 1), (1, 1)),
    (1, 4, 40, 1, (7, 8), (6, 6), (1, 1), (1, 0), (1, 1)),
    (1, 4, 40, 1, (7, 8), (6, 6), (1, 2), (0, 0), (1, 1)),
    (1, 4, 40, 1, (8, 7), (6, 6), (2, 1), (0, 0), (1, 1)),
    # almost Winograd's: square windows of 3 and 5 where one axis differs
    (3, 40, 50, 1, (13, 14), (3, 3), (1, 1), (1, 1), (1, 2)),
    (3, 40, 50, 1, (13, 14), (3, 3), (1, 1), (1, 1), (2, 1)),
    (3, 40, 50, 1, (13, 14), (3, 3), (1, 2), (1, 1), (1, 1)),
    (3, 40, 50, 1, (13, 14), (3, 3), (2, 1), (1, 1), (1, 1)),
    (3, 64, 72, 2, (9, 10), (5, 5), (1, 1), (2, 2), (1, 2)),
    (3, 64, 72, 2, (9, 10), (5, 5), (1, 1), (2, 2), (2, 1)),
    (3, 40, 50, 1, (13, 14), (3, 5), (1, 1), (1, 2), (1, 1)),
    (3, 40, 50, 1, (13, 14), (3, 3), (1, 1), (1, 3), (1, 1)),
    (3, 40, 50, 1, (13, 14), (3, 3), (1, 1), (3, 1), (1, 1)),
    # strides far beyond the image, and places that no window meets
    (2, 3, 4, 1, (8, 9), (3, 2), (400000000, 400000000), (0, 0), (1, 1)),
    (2, 3, 4, 1, (8, 9), (3, 2), (9, 5), (4, 1), (2, 1)),
    (2, 6, 4, 2, (8, 9), (3, 2), (9, 5), (4, 1), (2, 1)),
    (2, 3, 4, 1, (8, 9), (1, 1), (1, 1), (0, 0), (400000000, 1)),
    (2, 6, 6, 6, (8, 9), (3, 2), (400000000, 400000000), (0, 0), (1, 1)),
]
WINOGRAD = [
    (17, 20, 64, 1, (7, 7), (3, 3), (1, 1), (1, 1), (1, 1)),
    (2, 16, 16, 1, (8, 8), (3, 3), (1, 1), (1, 1), (1, 1)),
    (3, 40, 50, 1, (13, 14), (3, 3), (1, 1), (1, 1), (1, 1)),
    (2, 64, 33, 1, (30, 27), (3, 3), (1, 1), (0, 0), (1, 1)),
    (1, 19, 70, 1, (21, 57), (3, 3), (1, 1), (2, 2), (1, 1)),
    (3, 80, 48, 2, (13, 14), (3, 3), (1, 1), (1, 1), (1, 1)),
    (2, 20, 50, 1, (12, 13), (5, 5), (1, 1), (0, 0), (1, 1)),
    (3, 64, 72, 2, (9, 10), (5, 5), (1, 1), (2, 2), (1, 1)),
    # many weights for few tiles, which are transformed a part at a time
    (3, 70, 100, 1, (13, 14), (3, 3), (1, 1), (1, 1), (1, 1)),
    (5, 100, 72, 1, (24, 25), (3, 3), (1, 1), (1, 1), (1, 1)),
    (2, 130, 140, 2, (7, 7), (3, 3), (1, 1), (1, 1), (1, 1)),
    (4, 64, 72, 1, (9, 10), (5, 5), (1, 1), (2, 2), (1, 1)),
    # gradients that are scattered from tiles of the result: of whole images, and by parts too
    (70, 20, 50, 1, (12, 12), (5, 5), (1, 1), (0, 0), (1, 1)),
    (3, 36, 40, 2, (9, 8), (3, 3), (1, 1), (0, 0), (1, 1)),
    (2, 24, 33, 1, (9, 11), (5, 5), (1, 1), (0, 1), (1, 1)),
    (2, 70, 100, 1, (11, 12), (3, 3), (1, 1), (0, 0), (1, 1)),
    (5, 100, 72, 1, (5, 4), (3, 3), (1, 1), (0, 0), (1, 1)),
]


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("case", CASES + WINOGRAD, ids=str)
def test_every_instruction_set_meets_the_definition(
    case: Any, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(module, monkeypatch)
    items, channels, outputs, group, inputs, kernel, stride, pad, dilation = case
    places = window_outputs(inputs, kernel, stride, pad, dilation)
    windows = Windows(inputs, kernel, stride, pad, dilation, places)
    arguments = (windows, items, channels, outputs, group)
    tuned = Convolve.make(Device("cpu"), np.float32, *arguments)
    definition = Convolve.make(Device("cpu", tuned=False), np.float64, *arguments)
    assert isinstance(tuned, NativeConvolve)
    assert type(definition) is Convolve
    generator = np.random.default_rng(3)
    x = generator.normal(size=(items, channels, *inputs))
    w = generator.normal(size=(outputs, channels // group, *kernel))
    bias = generator.normal(size=outputs)
    dy = generator.normal(size=(items, outputs, *places))

    def passes(kernel: Convolve, dtype: type) -> list[np.ndarray]:
        a, b, c, d = (each.astype(dtype) for each in (x, w, bias, dy))
        y, rectified, added, kept, kept_added = np.full((5, *d.shape), np.nan, dtype)
        dx, dw = np.full(a.shape, np.nan, dtype), np.ones(b.shape, dtype)
        kernel.forward(a, b, None, y)
        kernel.forward(a, b, c, rectified, factor=c * c, rectify=True)
        kernel.forward(a, b, c, added, factor=c * c, rectify=True, addend=d)
        kernel.backward(d, b, dx)
        kernel.learn(d, a, dw)
        kernel.keeps_weights = True
        for _ in range(2):  # the weights are packed once
            kernel.forward(a, b, c, kept, factor=c * c, rectify=True)
            kernel.forward(a, b, c, kept_added, factor=c * c, addend=d)
        return [y, rectified, added, dx, dw, kept, kept_added]

    for found, expected in zip(
        passes(tuned, np.float32), passes(definition, np.float64), strict=True
    ):
        # Winograd's transforms round about four times as much as a plain sum.
        bound = (8e-6 if case in WINOGRAD else 2e-6) * np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=0, atol=bound)


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize(
    ("size", "channels", "allowed"), [(3, 448, 6e-7), (5, 64, 6e-7), (1, 2048, 3e-7)]
)
def test_deep_sums_stay_close_to_float64(
    size: int, channels: int, allowed: float, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values of one sign, as after a ReLU: a single long sum in float32 loses more digits."""
    use(module, monkeypatch)
    windows = Windows((8, 8), (size, size), (1, 1), (size // 2,) * 2, (1, 1), (8, 8))
    generator = np.random.default_rng(5)
    x = np.abs(generator.normal(size=(1, channels, 8, 8))).astype(np.float32)
    w = generator.normal(size=(32, channels, size, size)).astype(np.float32)
    found, kept = np.empty((2, 1, 32, 8, 8), np.float32)
    tuned = Convolve.make(Device("cpu"), np.float32, windows, 1, channels, 32, 1)
    tuned.forward(x, w, None, found)
    tuned.keeps_weights = True
    tuned.forward(x, w, None, kept)
    expected = np.empty(found.shape)
    exact = Convolve.make(Device("cpu", tuned=False), np.float64, windows, 1, channels, 32, 1)
    exact.forward(x.astype(np.float64), w.astype(np.float64), None, expected)
    for each in (found, kept):
        assert np.linalg.norm(each - expected) <= allowed * np.linalg.norm(expected)


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("channels", [3, 16])
def test_no_images_leave_the_gradient_of_the_weight(
    channels: int, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(module, monkeypatch)
    windows = Windows((7, 9), (3, 3), (2, 2), (1, 1), (1, 1), (4, 5))
    kernel = Convolve.make(Device("cpu"), np.float32, windows, 0, channels, 8, 1)
    dw = np.arange(8 * channels * 9, dtype=np.float32).reshape(8, channels, 3, 3)
    before = dw.copy()
    kernel.learn(np.empty((0, 8, 4, 5), np.float32), np.empty((0, channels, 7, 9), np.float32), dw)
    np.testing.assert_array_equal(dw, before)


@pytest.mark.parametrize(
    ("channels", "size", "stride", "pad"),
    [
        pytest.param(40, 3, 2, 0, id="plain"),
        pytest.param(40, 3, 1, 1, id="winograd"),
        pytest.param(150, 3, 1, 1, id="winograd by strips"),
        pytest.param(74, 3, 1, 1, id="winograd by strips and a rest"),
        pytest.param(530, 3, 1, 1, id="winograd of many channels"),
        pytest.param(40, 5, 1, 0, id="winograd scattered"),
        pytest.param(12, 5, 1, 0, id="scattered"),
        pytest.param(3, 3, 2, 1, id="shallow"),
        pytest.param(40, 1, 1, 0, id="single"),
    ],
)
def test_the_number_of_threads_changes_no_bit(
    channels: int, size: int, stride: int, pad: int
) -> None:
    module = native.load()
    kernel_, stride_, pad_ = (size, size), (stride, stride), (pad, pad)
    places = window_outputs((13, 13), kernel_, stride_, pad_, (1, 1))
    windows = Windows((13, 13), kernel_, stride_, pad_, (1, 1), places)
    generator = np.random.default_rng(4)
    x = generator.normal(size=(5, channels, 13, 13)).astype(np.float32)
    w = generator.normal(size=(50, channels, size, size)).astype(np.float32)
    dy = generator.normal(size=(5, 50, *places)).astype(np.float32)
    before = module.threads()
    found = []
    for threads in (1, 2, 3, 9):  # nine are more than twice the strips
        module.set_threads(threads)
        y, dx, dw, kept = np.empty_like(dy), np.empty_like(x), np.zeros_like(w), np.empty_like(dy)
        kernel = Convolve.make(Device("cpu"), np.float32, windows, 5, channels, 50, 1)
        kernel.forward(x, w, None, y)
        kernel.backward(dy, w, dx)
        kernel.learn(dy, x, dw)
        kernel.keeps_weights = True
        kernel.forward(x, w, None, kept)
        found.append((y, dx, dw, kept))
    module.set_threads(before)
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            np.testing.assert_array_equal(one, other)


def test_float64_and_three_axes_run_as_defined() -> None:
    flat = Windows((7, 9), (3, 3), (1, 1), (1, 1), (1, 1), (7, 9))
    deep = Windows((5, 6, 7), (1, 1, 1), (1, 1, 1), (0, 0, 0), (1, 1, 1), (5, 6, 7))
    assert type(Convolve.make(Device("cpu"), np.float64, flat, 1, 1, 1, 1)) is Convolve
    assert type(Convolve.make(Device("cpu"), np.float32, deep, 1, 1, 1, 1)) is Convolve


@pytest.mark.parametrize(
    ("items", "channels", "outputs", "side", "form"),
    [
        (1, 64, 64, 14, "Winograd"),
        (1, 512, 512, 14, ""),  # the transformed weights take longer to read than to make
        (16, 512, 512, 7, "Winograd"),
        (1, 192, 384, 7, "OutputLanes"),  # too few places for tiles of 4 x 4
    ],
)
def test_the_form_of_kept_weights_of_3_x_3(
    items: int, channels: int, outputs: int, side: int, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use("avx2", monkeypatch)
    places = (side, side)
    windows = Windows(places, (3, 3), (1, 1), (1, 1), (1, 1), places)
    kernel = Convolve.make(Device("cpu"), np.float32, windows, items, channels, outputs, 1)
    assert isinstance(kernel, NativeConvolve)
    kernel.keeps_weights = True
    assert bool(kernel.packed_bytes) == bool(form)
    if form:
        kernel.pack(np.ones((outputs, channels, 3, 3), np.float32))
        (kept,) = kernel.forms
        assert form in kept

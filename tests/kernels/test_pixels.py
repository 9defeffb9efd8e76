"""Kernels over pixels in bfloat16: with the instructions that a processor has, and with less."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.kernel import Kernel
from protonet.kernels.pixels import (
    AveragePoolPixels,
    ConvolvePixels,
    LRNAcrossPixels,
    MaxPoolPixels,
    Rearrange,
    can_hold_pixels,
    planes_of,
)
from protonet.kernels.windows import Windows, window_outputs
from protonet.precision import type_of
from tests.kernels.instructions import CPU, UNTUNED, check_threads

BF16 = type_of("bfloat16")
SHAPE = (2, 37, 5, 7)
CASES = [
    # items, channels, inputs, outputs, group, kernel, stride, pad, dilation, planes
    (1, 64, (9, 7), 32, 1, (1, 1), (1, 1), (0, 0), (1, 1), False),  # read where they lie
    (1, 33, (4, 5), 20, 1, (1, 1), (1, 1), (0, 0), (1, 1), False),  # in whole tiles from the end
    (2, 64, (13, 12), 40, 1, (1, 1), (2, 2), (0, 0), (1, 1), False),  # single pixels of a stride
    (3, 64, (14, 14), 65, 1, (3, 3), (1, 1), (1, 1), (1, 1), False),  # weights in two chunks
    (2, 48, (13, 11), 50, 1, (3, 3), (2, 2), (1, 1), (1, 1), False),  # two phases of rows
    (1, 3, (31, 30), 64, 1, (7, 7), (2, 2), (3, 3), (1, 1), True),  # a first layer
    (2, 5, (17, 13), 10, 1, (5, 3), (3, 1), (2, 1), (2, 2), True),
    (2, 12, (17, 13), 10, 2, (5, 5), (1, 1), (2, 2), (1, 1), False),
    (2, 6, (8, 8), 12, 6, (3, 3), (1, 1), (1, 1), (1, 1), False),  # two outputs a channel
    (20, 96, (5, 5), 70, 1, (3, 3), (1, 1), (1, 1), (1, 1), False),  # bands of several images
    (2, 37, (9, 8), 37, 37, (3, 3), (1, 1), (1, 1), (1, 1), False),  # depthwise
    (1, 64, (9, 8), 64, 64, (3, 3), (2, 2), (1, 1), (1, 1), False),
    (1, 40, (9, 11), 40, 40, (5, 2), (1, 2), (2, 0), (1, 1), False),
]
POOLS = [
    ((6, 9), (3, 3), (2, 2), (0, 0), (3, 4)),  # the last windows reach over the end
    ((6, 7), (3, 2), (1, 1), (1, 1), (6, 8)),
    ((5, 7), (5, 7), (1, 1), (0, 0), (1, 1)),
]


def random(shape: tuple[int, ...], dtype: Any = BF16, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def pixels(planes: np.ndarray) -> np.ndarray:
    held = np.empty_like(planes)
    planes_of(held)[...] = planes
    return held


def pair(kind: type[Kernel], *args: Any) -> tuple[Any, Any]:
    """The definition, and the tuned version where the processor has what it needs."""
    return kind.make(UNTUNED, BF16, *args), kind.make(CPU, BF16, *args)


def close(found: np.ndarray, wanted: np.ndarray) -> None:
    """Equal but for the last bit that is kept, in which sums of another order may differ."""
    wide = wanted.astype(np.float32)
    np.testing.assert_allclose(found.astype(np.float32), wide, rtol=2**-7, atol=2e-2)


def test_pixels_are_planes_with_channels_last() -> None:
    planes = random(SHAPE)
    held = pixels(planes)
    assert held.shape == SHAPE
    np.testing.assert_array_equal(held.ravel(), planes.transpose(0, 2, 3, 1).ravel())


@pytest.mark.parametrize(
    ("shape", "differ"),
    [((1, 2, 3, 4), True), ((5, 3, 1, 1), False), ((5, 1, 3, 3), False), ((2, 3), False)],
)
def test_what_can_hold_pixels(shape: tuple[int, ...], differ: bool) -> None:
    assert can_hold_pixels(shape) is differ


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("shape", [SHAPE, (1, 3, 4, 9), (1, 2, 3, 3), (2, 64, 16, 17)])
def test_rearranged(shape: tuple[int, ...], wide: bool) -> None:
    x = random(shape, np.float32 if wide else BF16)
    held: list[np.ndarray] = []
    back: list[np.ndarray] = []
    for kernel in pair(Rearrange, shape, wide):
        held.append(np.zeros(shape, BF16))
        back.append(np.zeros_like(x))
        kernel.to_pixels(x, held[-1])
        kernel.to_planes(held[-1], back[-1])
    np.testing.assert_array_equal(*held)
    np.testing.assert_array_equal(*back)
    np.testing.assert_array_equal(back[0], x.astype(BF16).astype(x.dtype))


@pytest.fixture(params=["tiles", "dots"])
def instructions(request: pytest.FixtureRequest) -> Any:
    module = native.load()
    before = module.features()
    if request.param == "dots":
        module.limit_features(["avx512_bf16"])
    yield
    module.limit_features(before)


@pytest.mark.usefixtures("instructions")
@pytest.mark.parametrize("case", CASES)
def test_convolution(case: Any) -> None:
    items, channels, inputs, outputs, group, kernel, stride, pad, dilation, planes = case
    out = window_outputs(inputs, kernel, stride, pad, dilation)
    windows = Windows(inputs, kernel, stride, pad, dilation, out)
    x = random((items, channels, *inputs))
    w = random((outputs, channels // group, *kernel), np.float32, 1)
    w *= (channels // group * np.prod(kernel)) ** -0.5
    w = w.astype(BF16).astype(np.float32)
    factor, bias = random((outputs,), np.float32, 2), random((outputs,), np.float32, 3)
    given = x if planes else pixels(x)
    definition, tuned = pair(ConvolvePixels, windows, items, channels, outputs, group, planes)
    addend = pixels(random((items, outputs, *out), seed=4))
    for how in ({}, {"factor": factor, "rectify": True}, {"addend": addend, "rectify": True}):
        results = [np.full((items, outputs, *out), np.nan, BF16) for _ in range(2)]
        definition.forward(given, w, bias, results[0], **how)
        tuned.forward(given, w, bias, results[1], **how)
        close(results[1], results[0])


def test_weights_are_kept_until_they_change() -> None:
    windows = Windows((4, 5), (1, 1), (1, 1), (0, 0), (1, 1), (4, 5))
    kernel = ConvolvePixels.make(CPU, BF16, windows, 1, 32, 8, 1, False)
    kernel.keeps_weights = True
    x, w = pixels(random((1, 32, 4, 5))), random((8, 32, 1, 1), np.float32, 1)
    first, again, other = (np.zeros((1, 8, 4, 5), BF16) for _ in range(3))
    kernel.forward(x, w, None, first)
    if type(kernel) is not ConvolvePixels:
        kernel.forward(x, 2 * w, None, again)
        np.testing.assert_array_equal(again, first)
    kernel.forget_weights()
    kernel.forward(x, 2 * w, None, other)
    np.testing.assert_array_equal(other, (2 * first.astype(np.float32)).astype(BF16))


def test_nan_stays_in_its_windows() -> None:
    windows = Windows((4, 5), (3, 3), (1, 1), (1, 1), (1, 1), (4, 5))
    kernel = ConvolvePixels.make(CPU, BF16, windows, 1, 64, 8, 1, False)
    x, w = random((1, 64, 4, 5)), random((8, 64, 3, 3), np.float32, 1)
    x[0, 5, 0, 0] = np.nan
    y = np.zeros((1, 8, 4, 5), BF16)
    kernel.forward(pixels(x), w, None, y, rectify=True)
    spoiled = np.isnan(planes_of(y).astype(np.float32)).all(axis=(0, 1))
    wanted = np.zeros((4, 5), bool)
    wanted[:2, :2] = True
    np.testing.assert_array_equal(spoiled, wanted)


@pytest.mark.parametrize("case", POOLS)
@pytest.mark.parametrize("channels", [32, 70])
def test_pooling(case: Any, channels: int) -> None:
    inputs, kernel, stride, pad, out = case
    windows = Windows(inputs, kernel, stride, pad, (1, 1), out)
    x = pixels(random((2, channels, *inputs)))
    results = [np.zeros((2, channels, *out), BF16) for _ in range(4)]
    for y, each in zip(results, pair(MaxPoolPixels, windows, 2, channels), strict=False):
        each.forward(x, y, None)
    np.testing.assert_array_equal(*results[:2])
    for y, each in zip(results[2:], pair(AveragePoolPixels, windows, 2, channels), strict=True):
        each.forward(x, y)
    close(results[3], results[2])


def test_results_do_not_depend_on_threads() -> None:
    windows = Windows((14, 14), (3, 3), (1, 1), (1, 1), (1, 1), (14, 14))
    x, w = pixels(random((2, 64, 14, 14))), random((64, 64, 3, 3), np.float32, 1)

    def run() -> list[np.ndarray]:
        kernel = ConvolvePixels.make(Device(), BF16, windows, 2, 64, 64, 1, False)
        y = np.zeros((2, 64, 14, 14), BF16)
        kernel.forward(x, w, None, y)
        return [y]

    check_threads(run)


@pytest.mark.parametrize(("channels", "size", "beta"), [(37, 5, 0.75), (64, 3, 0.5), (4, 9, 0.75)])
def test_lrn(channels: int, size: int, beta: float) -> None:
    shape = (2, channels, 3, 5)
    x = pixels(random(shape))
    results = [np.zeros(shape, BF16) for _ in range(2)]
    for y, each in zip(results, pair(LRNAcrossPixels, shape, size, 0.8, beta, 1.5), strict=True):
        each.forward(x, y)
    close(results[1], results[0])

"""Kernels over pixels: of bfloat16 with the instructions that a processor has, and with less."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.convolution import Convolve
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
    (3, 48, (2, 2), 33, 1, (1, 1), (2, 2), (0, 0), (1, 1), False),  # one of an image
    (2, 64, (2, 30), 40, 2, (1, 1), (3, 1), (0, 0), (1, 1), False),
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
DEPTHWISE = [
    # items, channels, inputs, kernel, stride, pad, dilation
    (1, 32, (112, 112), (3, 3), (1, 1), (1, 1), (1, 1)),
    (1, 96, (56, 55), (3, 3), (2, 2), (1, 1), (1, 1)),
    (2, 144, (28, 28), (3, 3), (1, 1), (1, 1), (1, 1)),
    (1, 512, (14, 14), (3, 3), (2, 2), (1, 1), (1, 1)),
    (3, 960, (7, 7), (3, 3), (1, 1), (1, 1), (1, 1)),
    (2, 24, (9, 8), (3, 3), (1, 1), (0, 0), (1, 1)),
    (2, 40, (8, 9), (3, 3), (2, 2), (0, 0), (1, 1)),
    (1, 17, (7, 7), (3, 3), (1, 2), (2, 0), (1, 1)),
    (1, 17, (8, 7), (3, 3), (2, 1), (1, 3), (2, 1)),
    (2, 40, (9, 11), (5, 5), (1, 1), (2, 2), (1, 1)),
    (2, 3, (14, 9), (5, 5), (2, 2), (2, 2), (1, 1)),
    (1, 40, (9, 13), (3, 3), (1, 1), (2, 2), (2, 2)),
    (1, 24, (11, 10), (3, 3), (3, 3), (0, 0), (1, 1)),
    (1, 17, (9, 11), (5, 2), (1, 2), (2, 0), (1, 1)),
    (2, 3, (1, 1), (3, 3), (1, 1), (1, 1), (1, 1)),
    (2, 16, (2, 1), (3, 3), (2, 2), (1, 1), (1, 1)),
    (1, 8, (2, 3), (1, 1), (1, 1), (2, 2), (1, 1)),  # windows of nothing but padding
]
POOLS = [
    ((6, 9), (3, 3), (2, 2), (0, 0), (3, 4)),  # the last windows reach over the end
    ((6, 7), (3, 2), (1, 1), (1, 1), (6, 8)),
    ((5, 7), (5, 7), (1, 1), (0, 0), (1, 1)),
    ((7, 8), (3, 3), (1, 1), (1, 1), (7, 8)),
    ((8, 7), (2, 3), (2, 2), (1, 1), (5, 4)),
    ((1, 2), (3, 3), (2, 1), (1, 1), (1, 2)),
    ((14, 12), (2, 2), (2, 2), (0, 0), (7, 6)),
]
REARRANGED = [SHAPE, (1, 3, 4, 9), (1, 2, 3, 3), (2, 4, 5, 7), (2, 64, 16, 17), (1, 24, 33, 31)]
TYPES = [np.float32, BF16]


def random(shape: tuple[int, ...], dtype: Any = BF16, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def pixels(planes: np.ndarray) -> np.ndarray:
    held = np.empty_like(planes)
    planes_of(held)[...] = planes
    return held


def pair(kind: type[Kernel], *args: Any, dtype: Any = BF16) -> tuple[Any, Any]:
    """The definition, and the tuned version where the processor has what it needs."""
    return kind.make(UNTUNED, dtype, *args), kind.make(CPU, dtype, *args)


def close(found: np.ndarray, wanted: np.ndarray) -> None:
    """Equal but for the last bit that is kept, in which sums of another order may differ."""
    exact = found.dtype == np.float32
    bounds = {"rtol": 2e-6, "atol": 2e-6} if exact else {"rtol": 2**-7, "atol": 2e-2}
    np.testing.assert_allclose(found.astype(float), wanted.astype(float), **bounds)


def compiled(dtype: Any) -> Any:
    """The compiled kernels over pixels; the test is skipped where the processor has none."""
    needed = "avx512_bf16" if dtype == BF16 else "avx2"
    if not native.has(needed):
        pytest.skip(f"this processor has no {needed}")
    return native.of(dtype)


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


@pytest.mark.parametrize(("dtype", "wide"), [(BF16, False), (BF16, True), (np.float32, False)])
@pytest.mark.parametrize("shape", REARRANGED, ids=str)
def test_rearranged(shape: tuple[int, ...], dtype: Any, wide: bool) -> None:
    x = random(shape, np.float32 if wide else dtype)
    held: list[np.ndarray] = []
    back: list[np.ndarray] = []
    for kernel in pair(Rearrange, shape, wide, dtype=dtype):
        held.append(np.zeros(shape, dtype))
        back.append(np.zeros_like(x))
        kernel.to_pixels(x, held[-1])
        kernel.to_planes(held[-1], back[-1])
    np.testing.assert_array_equal(*held)
    np.testing.assert_array_equal(*back)
    np.testing.assert_array_equal(back[0], x.astype(dtype).astype(x.dtype))


@pytest.fixture(params=["tiles", "dots"])
def instructions(request: pytest.FixtureRequest) -> Any:
    module = native.load()
    before = module.features()
    if request.param == "dots":
        module.limit_features(["avx512_bf16"])
    yield
    module.limit_features(before)


OF_FLOATS = [
    (1, 512, (6, 7), 40, 1, (1, 1), (1, 1), (0, 0), (1, 1), False),  # in one set of the L1 cache
    (2, 512, (9, 7), 70, 1, (1, 1), (2, 2), (0, 0), (1, 1), False),
    (1, 512, (8, 8), 16, 1, (3, 3), (2, 2), (1, 1), (1, 1), False),
    (2, 20, (12, 12), 50, 1, (5, 5), (1, 1), (0, 0), (1, 1), False),
    (2, 32, (17, 15), 40, 1, (3, 3), (1, 1), (0, 1), (1, 1), False),
    (16, 32, (9, 9), 33, 1, (5, 5), (1, 1), (2, 2), (1, 1), False),
    (1, 40, (17, 17), 24, 1, (1, 7), (1, 1), (0, 3), (1, 1), False),
    (3, 64, (14, 14), 64, 2, (3, 3), (1, 1), (1, 1), (1, 1), False),
    (16, 16, (60, 60), 80, 1, (1, 1), (1, 1), (0, 0), (1, 1), False),  # stored past the caches
    (16, 16, (60, 60), 80, 1, (3, 3), (1, 1), (1, 1), (1, 1), False),
    (1, 6, (9, 8), 8, 2, (3, 3), (1, 1), (1, 1), (1, 1), True),
    (5, 3, (32, 32), 32, 1, (5, 5), (1, 1), (2, 2), (1, 1), True),  # Winograd of planes
    (1, 2, (37, 75), 40, 1, (5, 5), (1, 1), (2, 0), (1, 1), True),
    (2, 3, (35, 71), 80, 1, (3, 3), (1, 1), (0, 1), (1, 1), True),
    (16, 3, (66, 66), 64, 1, (3, 3), (1, 1), (1, 1), (1, 1), True),
    (1, 6, (9, 8), 64, 2, (5, 5), (1, 1), (4, 2), (1, 1), True),
]


def floats(*shape: int, seed: int = 0) -> np.ndarray:
    """Values that begin with a line of the cache, as those of nets do."""
    held: np.ndarray = CPU.aligned_bytes(4 * int(np.prod(shape))).view(np.float32).reshape(shape)
    held[...] = random(shape, np.float32, seed)
    return held


@pytest.mark.parametrize("case", [*CASES, *OF_FLOATS], ids=str)
def test_convolution_of_floats(case: Any) -> None:
    items, channels, inputs, outputs, group, kernel, stride, pad, dilation, planes = case
    out = window_outputs(inputs, kernel, stride, pad, dilation)
    windows = Windows(inputs, kernel, stride, pad, dilation, out)
    args = (windows, items, channels, outputs, group, planes)
    definition = ConvolvePixels.make(UNTUNED, np.float64, *args)
    tuned = ConvolvePixels.make(CPU, np.float32, *args)
    tuned.keeps_weights = True
    x, y = floats(items, channels, *inputs), floats(items, outputs, *out)
    w = random((outputs, channels // group, *kernel), np.float32, 1)
    w *= (channels // group * np.prod(kernel)) ** -0.5
    factor, bias = random((outputs,), np.float32, 2), random((outputs,), np.float32, 3)
    given = x if planes else pixels(x)
    addend, whole = pixels(random(y.shape, np.float32, 4)), floats(items, outputs + 32, *out)
    some = np.moveaxis(whole.reshape(items, *out, outputs + 32)[..., 16:-16], 3, 1)
    for how in ({}, {"factor": factor, "rectify": True}, {"addend": addend, "rectify": True}):
        wanted = np.full(y.shape, np.nan)
        definition.forward(given, w, bias, wanted, **how)
        tuned.forward(given, w, bias, y, **how)
        np.testing.assert_allclose(y, wanted, rtol=0, atol=2e-5)
        if not how and group == 1:
            tuned.forward(given, w, bias, some)  # between other channels, which stay
            np.testing.assert_array_equal(some, planes_of(y))
    around = whole.reshape(-1, outputs + 32)[:, [0, 15, -16, -1]]
    before = floats(*whole.shape).reshape(-1, outputs + 32)[:, [0, 15, -16, -1]]
    np.testing.assert_array_equal(around, before)


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


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("case", DEPTHWISE, ids=str)
def test_depthwise(case: Any, dtype: Any) -> None:
    items, channels, inputs, kernel, stride, pad, dilation = case
    module, out = compiled(np.dtype(dtype)), window_outputs(inputs, kernel, stride, pad, dilation)
    windows = Windows(inputs, kernel, stride, pad, dilation, out)
    made = module.PixelDepthwise(items, channels, inputs, kernel, stride, pad, dilation, out)
    x, w = random((items, channels, *inputs), dtype), random((channels, 1, *kernel), np.float32, 1)
    packed = np.full(made.packed_size(), 7, np.float32)
    made.pack(w, packed)
    factor, bias = random((channels,), np.float32, 2), random((channels,), np.float32, 3)
    definition = Convolve.make(UNTUNED, np.float64, windows, items, channels, channels, channels)
    for f, b, rectify in ((None, None, False), (None, bias, True), (factor, bias, False)):
        found = np.full((items, channels, *out), np.nan, dtype)
        wanted = np.zeros(found.shape)
        made.forward(pixels(x), packed, f, b, found, rectify)
        shift = None if b is None else b.astype(float)
        scale = None if f is None else f.astype(float)
        wide = x.astype(float), w.astype(float)
        definition.forward(*wide, shift, wanted, factor=scale, rectify=rectify)
        if dtype == BF16:
            close(planes_of(found), wanted)
        else:
            bound = 2e-6 * max(1, np.abs(wanted).max())
            np.testing.assert_allclose(planes_of(found), wanted, rtol=0, atol=bound)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("stride", [1, 2])
def test_images_of_a_large_batch_have_the_results_of_each(stride: int, dtype: Any) -> None:
    module, items, out = compiled(np.dtype(dtype)), 23, 56 // stride
    x, w = random((items, 64, 56, 56), dtype), random((64, 1, 3, 3), np.float32, 1)
    found = np.zeros((items + 1, 64, out, out), dtype)
    for images, y in ((x, found[:items]), (x[-1:], found[items:])):
        geometry = ((3, 3), (stride, stride), (1, 1), (1, 1), (out, out))
        made = module.PixelDepthwise(len(images), 64, (56, 56), *geometry)
        packed = np.zeros(made.packed_size(), np.float32)
        made.pack(w, packed)
        made.forward(images, packed, None, None, y, False)
    np.testing.assert_array_equal(found[-1], found[-2])


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("case", POOLS, ids=str)
@pytest.mark.parametrize("channels", [3, 32, 40, 70, 144])
def test_pooling(case: Any, channels: int, dtype: Any) -> None:
    inputs, kernel, stride, pad, out = case
    windows = Windows(inputs, kernel, stride, pad, (1, 1), out)
    x = pixels(random((2, channels, *inputs), dtype))
    results = [np.zeros((2, channels, *out), dtype) for _ in range(3)]
    args = (windows, 2, channels)
    for y, each in zip(results, pair(MaxPoolPixels, *args, dtype=dtype), strict=False):
        each.forward(x, y, None)
    np.testing.assert_array_equal(*results[:2])
    wanted = np.zeros((2, channels, *out))
    AveragePoolPixels(UNTUNED, np.float64, *args).forward(x.astype(float), wanted)
    AveragePoolPixels.make(CPU, dtype, *args).forward(x, results[2])
    close(results[2], wanted)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("stride", [1, 2])
def test_greatest_passes_over_what_is_no_number(stride: int, dtype: Any) -> None:
    geometry = ((5, 5), (3, 3), (stride, stride), (1, 1), (1, 1))
    out = window_outputs(*geometry)
    windows = Windows(*geometry, out)
    x = random((1, 20, 5, 5), dtype)
    x[0, ::3, 2, :3], x[0, 4] = np.nan, np.nan
    x[0, 5, 1, 1], x[0, 6, 1, 1] = np.inf, -np.inf
    results = [np.zeros((1, 20, *out), dtype) for _ in range(2)]
    args = (windows, 1, 20)
    for y, each in zip(results, pair(MaxPoolPixels, *args, dtype=dtype), strict=True):
        with np.errstate(invalid="ignore"):
            each.forward(pixels(x), y, None)
    np.testing.assert_array_equal(*(each.astype(np.float32) for each in results))


def test_results_do_not_depend_on_threads() -> None:
    windows = Windows((14, 14), (3, 3), (1, 1), (1, 1), (1, 1), (14, 14))
    x, w = pixels(random((2, 64, 14, 14))), random((64, 64, 3, 3), np.float32, 1)

    def run() -> list[np.ndarray]:
        kernel = ConvolvePixels.make(Device(), BF16, windows, 2, 64, 64, 1, False)
        y = np.zeros((2, 64, 14, 14), BF16)
        kernel.forward(x, w, None, y)
        return [y]

    check_threads(run)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_results_of_windows_do_not_depend_on_threads(dtype: Any) -> None:
    module, shape = compiled(np.dtype(dtype)), (2, 72, 9, 7)
    x, w = pixels(random(shape, dtype)), random((72, 1, 3, 3), np.float32, 1)
    geometry = (2, 72, (9, 7), (3, 3), (1, 1), (1, 1), (1, 1), (9, 7))

    def run() -> list[np.ndarray]:
        convolution, pool = module.PixelDepthwise(*geometry), module.PixelPool(*geometry)
        packed = np.zeros(convolution.packed_size(), np.float32)
        convolution.pack(w, packed)
        results = [np.zeros(shape, dtype) for _ in range(3)]
        convolution.forward(x, packed, None, None, results[0], False)
        pool.mean(x, results[1])
        module.to_planes(x, results[2], 2, 72, 63)
        return results

    check_threads(run)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize(
    ("channels", "size", "beta"),
    [(37, 5, 0.75), (64, 3, 0.5), (4, 9, 0.75), (96, 5, 0.75), (20, 41, 0.75), (3, 1, 1.0)],
)
def test_lrn(channels: int, size: int, beta: float, dtype: Any) -> None:
    shape = (2, channels, 3, 5)
    x = pixels(random(shape, dtype))
    x.flat[3] = 1000
    wanted, y = np.zeros(shape), np.zeros(shape, dtype)
    args = (shape, size, 0.8, beta, 1.5)
    LRNAcrossPixels(UNTUNED, np.float64, *args).forward(x.astype(float), wanted)
    LRNAcrossPixels.make(CPU, dtype, *args).forward(x, y)
    close(y, wanted)


def test_lrn_of_extremes() -> None:
    shape, scales = (1, 1, 8, 8), np.float32(10) ** np.arange(-32, 32, dtype=np.float32)
    x, y = pixels(np.repeat(scales.reshape(shape), 2, axis=1)), np.zeros((1, 2, 8, 8), np.float32)
    LRNAcrossPixels.make(CPU, np.float32, x.shape, 1, 1.0, 0.75, 0.0).forward(x, y)
    with np.errstate(all="ignore"):
        wanted = x * (x * x).astype(float) ** -0.75
    np.testing.assert_allclose(y, wanted, rtol=2e-6)

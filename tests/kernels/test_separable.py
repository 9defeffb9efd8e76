"""Depthwise separable convolutions over pixels: at once as one after another, and when."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.kernels import native
from protonet.kernels.bands import fits_bands
from protonet.kernels.convolution import ConvolutionShape, Stage
from protonet.kernels.pixels import ConvolvePixels, distance, planes_of
from protonet.kernels.separable import (
    SeparablePixels,
    expands_well,
    is_pointwise,
    is_rolled,
    projects_well,
)
from protonet.kernels.windows import Windows, window_outputs
from protonet.precision import type_of
from tests.kernels.instructions import CPU, UNTUNED, check_threads

BF16 = type_of("bfloat16")
CASES = [
    # items, inputs (0: no expansion), channels, extents, stride, pad, outputs
    (1, 0, 32, (28, 28), (1, 1), (1, 1), 64),
    (2, 0, 40, (15, 14), (2, 2), (1, 1), 17),
    (1, 0, 512, (9, 8), (1, 1), (1, 1), 33),  # pixels are copied with room between them
    (3, 16, 96, (23, 22), (2, 2), (1, 1), 24),
    (1, 24, 144, (28, 29), (1, 1), (1, 1), 24),
    (5, 7, 20, (7, 7), (1, 1), (1, 1), 40),
    (2, 8, 33, (12, 9), (1, 2), (0, 2), 8),
    (1, 3, 16, (3, 3), (1, 1), (0, 0), 5),  # one window
    (1, 160, 48, (40, 5), (2, 1), (1, 1), 64),
    (1, 4, 16, (5, 3), (3, 2), (1, 0), 8),  # rows that no window reads
]


def single(count: int, channels: int, extents: tuple[int, int], outputs: int) -> ConvolutionShape:
    one = Windows(extents, (1, 1), (1, 1), (0, 0), (1, 1), extents)
    return one, count, channels, outputs, 1


def shapes_of(case: Any) -> list[ConvolutionShape]:
    items, inputs, channels, extents, stride, pad, outputs = case
    out = window_outputs(extents, (3, 3), stride, pad, (1, 1))
    windows = Windows(extents, (3, 3), stride, pad, (1, 1), out)
    expand = [single(items, inputs, extents, channels)] if inputs else []
    depthwise = (windows, items, channels, channels, channels)
    return [*expand, depthwise, single(items, channels, out, outputs)]


def random(shape: tuple[int, ...], seed: int, dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def stages_of(shapes: list[ConvolutionShape]) -> list[Stage]:
    found = []
    for seed, (windows, _, channels, outputs, group) in enumerate(shapes):
        w = random((outputs, channels // group, *windows.kernel), 10 * seed)
        factor, shift = random((outputs,), 10 * seed + 1), random((outputs,), 10 * seed + 2)
        last = seed == len(shapes) - 1
        found.append(Stage(w, None if last else factor, shift, not last))
    return found


def pixels(planes: np.ndarray) -> np.ndarray:
    held = np.empty_like(planes)
    planes_of(held)[...] = planes
    return held


def made(device: Any, shapes: list[ConvolutionShape], dtype: Any = np.float32) -> SeparablePixels:
    each = [ConvolvePixels.make(device, dtype, *shape, False) for shape in shapes]
    return SeparablePixels.make(device, dtype, each)


@pytest.fixture
def vectors() -> Any:
    """No tiles, which chains are not computed by."""
    module = native.load()
    before = module.features()
    module.limit_features([name for name in before if not name.startswith("amx")])
    yield
    module.limit_features(before)


@pytest.mark.usefixtures("vectors")
@pytest.mark.parametrize("dtype", [np.float32, BF16], ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_at_once_as_one_after_another(case: Any, dtype: Any) -> None:
    """The same bits as the tuned kernels of each, and close to the definition."""
    shapes = shapes_of(case)
    if not all(fits_bands(np.dtype(dtype), each) for each in shapes):
        pytest.skip("channels that are not read in pairs")
    stages, (windows, items, channels, *_) = stages_of(shapes), shapes[0]
    shape = (items, case[-1], *shapes[-1][0].outputs)
    extents = (items, channels, *windows.inputs)
    x, addend = (pixels(random(each, 7, dtype)) for each in (extents, shape))
    tuned = made(CPU, shapes, dtype)
    for more in (None, addend):
        found, apart, defined = (np.full(shape, np.nan, dtype) for _ in range(3))
        tuned.forward(x, found, stages, more)
        SeparablePixels(CPU, dtype, tuned.convolutions).forward(x, apart, stages, more)
        made(UNTUNED, shapes, dtype).forward(x, defined, stages, more)
        np.testing.assert_array_equal(found, apart)
        bound = (1e-5 if dtype == np.float32 else 2**-7) * np.abs(defined).max()
        np.testing.assert_allclose(found.astype(float), defined.astype(float), rtol=0, atol=bound)


def test_results_among_others() -> None:
    """As where they are some channels of a concatenation; the others are left alone."""
    shapes = shapes_of((2, 8, 32, (9, 9), (1, 1), (1, 1), 16))
    x, stages = pixels(random((2, 8, 9, 9), 3)), stages_of(shapes)
    alone, whole = np.zeros((2, 16, 9, 9), np.float32), np.full((2, 9, 9, 40), 5, np.float32)
    strides = (81 * 160, 4, 9 * 160, 160)
    some = np.ndarray(alone.shape, np.float32, whole, 4 * 8, strides)
    assert distance(some) == 40
    for y in (alone, some):
        made(CPU, shapes).forward(x, y, stages, None)
    np.testing.assert_array_equal(whole[..., 8:24], alone.reshape(2, 9, 9, 16))
    assert (whole[..., :8] == 5).all()
    assert (whole[..., 24:] == 5).all()


@pytest.mark.parametrize("case", CASES[3:5], ids=str)
def test_results_do_not_depend_on_threads(case: Any) -> None:
    shapes = shapes_of(case)
    items, inputs, _, extents, *_, outputs = case
    x, stages = pixels(random((items, inputs, *extents), 1)), stages_of(shapes)

    def compute() -> np.ndarray:
        y = np.zeros((items, outputs, *shapes[-1][0].outputs), np.float32)
        made(CPU, shapes).forward(x, y, stages, None)
        return y

    check_threads(compute)


def test_which_convolutions_these_are() -> None:
    expand, depthwise, project = shapes_of((1, 8, 32, (28, 28), (2, 2), (1, 1), 16))
    assert is_pointwise(expand)
    assert not is_pointwise((*expand[:4], 2))
    assert not is_pointwise((*depthwise[:4], 1))
    corner = Windows((2, 2), (1, 1), (2, 2), (0, 0), (1, 1), (1, 1))
    assert not is_pointwise((corner, 1, 32, 8, 1)), "pixels that no window reads"
    assert is_rolled(depthwise)
    assert not is_rolled((*depthwise[:3], 64, 32)), "two outputs a channel"
    assert not is_rolled(project)


def test_when_it_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "threads", lambda: 2)

    def worth(*case: Any) -> tuple[bool, bool]:
        expand, depthwise, project = shapes_of(case)
        return expands_well(expand, depthwise), projects_well(depthwise, project)

    assert worth(1, 16, 96, (112, 112), (2, 2), (1, 1), 24) == (True, True)
    assert worth(1, 64, 384, (14, 14), (1, 1), (1, 1), 64) == (False, True), "rows twice"
    assert worth(16, 64, 384, (14, 14), (1, 1), (1, 1), 64) == (True, True)
    assert worth(1, 160, 960, (7, 7), (1, 1), (1, 1), 160) == (False, False), "few places"
    assert worth(1, 512, 64, (56, 56), (1, 1), (1, 1), 64) == (False, True), "copied pixels"
    monkeypatch.setattr(native, "threads", lambda: 64)
    assert worth(1, 16, 96, (112, 112), (2, 2), (1, 1), 24) == (False, False), "too few rows"

"""Convolution of bytes: the compiled version is the definition, bit by bit, and close to floats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from protonet.kernels import native
from protonet.kernels.convolution import Convolve
from protonet.kernels.int8 import (
    Coding,
    Int8Convolve,
    NativeInt8Convolve,
    codes_in,
    quantized_weights,
)
from protonet.kernels.windows import Windows, window_outputs
from tests.kernels.instructions import CPU, UNTUNED, check_threads, use

HAS_INT8 = native.has("int8")
CASES = [
    # items, channels, outputs, group, inputs, kernel, stride, pad, dilation
    (2, 3, 5, 1, (7, 9), (3, 3), (1, 1), (1, 1), (1, 1)),
    (2, 3, 20, 1, (27, 23), (5, 3), (2, 3), (2, 1), (1, 1)),
    (3, 4, 6, 2, (15, 14), (1, 1), (2, 2), (0, 0), (1, 1)),
    (1, 8, 40, 4, (30, 31), (3, 3), (1, 1), (2, 2), (2, 2)),
    (17, 12, 64, 1, (7, 7), (3, 3), (1, 1), (1, 1), (1, 1)),
    (2, 6, 32, 2, (40, 41), (7, 7), (2, 2), (3, 3), (1, 1)),
    (2, 3, 4, 1, (40,), (5,), (2,), (3,), (1,)),
    (1, 64, 70, 1, (20, 21), (1, 1), (1, 1), (0, 0), (1, 1)),
    (1, 70, 33, 1, (20, 21), (3, 3), (1, 1), (0, 0), (1, 1)),
    # windows of whole images, and single pixels, as in products of matrices
    (20, 8, 19, 1, (6, 5), (6, 5), (1, 1), (0, 0), (1, 1)),
    (2, 37, 19, 1, (1, 1), (1, 1), (1, 1), (0, 0), (1, 1)),
    # depthwise: rows of windows in pairs and alone, blocks of channels that are not full, strips
    (2, 64, 64, 64, (9, 13), (3, 3), (1, 1), (1, 1), (1, 1)),
    (2, 70, 70, 70, (10, 11), (3, 3), (2, 2), (1, 1), (1, 1)),
    (1, 33, 33, 33, (6, 9), (5, 4), (1, 2), (2, 0), (1, 1)),
    (1, 5, 5, 5, (12, 11), (3, 3), (1, 1), (2, 2), (2, 2)),
    (1, 6, 6, 6, (3, 130), (7, 2), (1, 1), (3, 1), (1, 3)),
    (2, 66, 66, 66, (40,), (3,), (2,), (1,), (1,)),
    (3, 130, 130, 130, (7, 5), (7, 5), (1, 1), (0, 0), (1, 1)),
    (1, 4, 4, 4, (8, 8), (1, 1), (1, 1), (0, 0), (1, 1)),
]
SOURCE, TARGET = Coding.of(-3, 5), Coding.of(-1, 30)


@pytest.fixture(params=["tiles", "avx512", "avx2"])
def instructions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All that the processor has, then less of it."""
    if request.param != "tiles":
        use(request.param, monkeypatch)
    module = native.load()
    before = module.features()
    if request.param == "avx512":
        module.limit_features(["int8"])
    yield
    module.limit_features(before)


def made(device: Any, case: Any, target: Coding | None, takes_codes: bool) -> Any:
    """The kernel of a case, its bottom (floats, or their codes) and a top."""
    items, channels, outputs, group, inputs, kernel, stride, pad, dilation = case
    places = window_outputs(inputs, kernel, stride, pad, dilation)
    windows = Windows(inputs, kernel, stride, pad, dilation, places)
    shape = (windows, items, channels, outputs, group)
    rng = np.random.default_rng(4)
    x = rng.normal(scale=2, size=(items, channels, *inputs)).astype(np.float32)
    w = rng.normal(size=(outputs, channels // group, *kernel)).astype(np.float32)
    w[0] = 0
    shift = rng.normal(size=outputs).astype(np.float32)
    codes, scales = quantized_weights(w, channels // group)
    found = Int8Convolve.make(device, np.float32, *shape, SOURCE, target, takes_codes)
    found.prepare(codes, scales * np.float32(SOURCE.scale), shift)
    bottom = x
    if takes_codes:
        bottom = np.zeros_like(x)
        coded = SOURCE.encode(np, x.reshape(items, channels, -1)).swapaxes(1, 2)
        codes_in(bottom, items, channels)[:, :, :channels] = coded
    floats = Convolve.make(UNTUNED, np.float64, *shape)
    bounded = SOURCE.decode(np, SOURCE.encode(np, x)).astype(np.float64)
    exact = np.empty((items, outputs, *places))
    floats.forward(bounded, (codes.reshape(outputs, -1) * scales[:, None]).reshape(w.shape), None,
                   exact)  # fmt: skip
    exact += shift.reshape(-1, *(1,) * len(places))
    return found, bottom, np.zeros((items, outputs, *places), np.float32), exact


@pytest.mark.usefixtures("instructions")
@pytest.mark.parametrize("takes_codes", [False, True])
@pytest.mark.parametrize("target", [None, TARGET])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_compiled_version_is_the_definition(
    case: Any, target: Coding | None, takes_codes: bool
) -> None:
    definition, bottom, expected, exact = made(UNTUNED, case, target, takes_codes)
    assert type(definition) is Int8Convolve
    definition.forward(bottom, expected, True)
    values = expected
    if target is not None:
        kept = codes_in(expected, case[0], case[2])[:, :, : case[2]]
        values = target.decode(np, kept).swapaxes(1, 2).reshape(exact.shape)
        exact = exact.clip(0, 30)
    np.testing.assert_allclose(
        values, np.maximum(exact, 0), rtol=1e-5, atol=1e-4 if target is None else TARGET.scale
    )
    tuned, _, y, _ = made(CPU, case, target, takes_codes)
    assert not HAS_INT8 or isinstance(tuned, NativeInt8Convolve)
    tuned.forward(bottom, y, True)
    if target is None:
        np.testing.assert_array_equal(y, expected)
    else:
        np.testing.assert_array_equal(codes_in(y, case[0], case[2])[:, :, : case[2]], kept)


@pytest.mark.usefixtures("instructions")
def test_threads_change_no_bit() -> None:
    kernel, x, y, _ = made(CPU, CASES[4], None, False)

    def passes() -> list[np.ndarray]:
        kernel.forward(x, y, False)
        return [y]

    check_threads(passes)


def test_codes_have_a_zero_and_bounds() -> None:
    assert Coding.of(0, 0) == Coding(1.0, 0)
    assert Coding.of(2, 10) == Coding(float(np.float32(10 / 255)), 0)
    assert Coding.of(-10, -2).zero == 255
    x = np.array([np.nan, -np.inf, np.inf, 0, -3, 5], np.float32)
    np.testing.assert_array_equal(SOURCE.encode(np, x), [0, 0, 255, SOURCE.zero, 0, 255])
    assert SOURCE.decode(np, SOURCE.encode(np, np.zeros(1, np.float32)))[0] == 0


def test_weights_have_a_scale_for_each_output() -> None:
    w = np.array([[1, -2], [0, 0], [0.5, 0.25]], np.float32)
    codes, scales = quantized_weights(w, 1)
    np.testing.assert_array_equal(codes, [[64, -127], [0, 0], [127, 64]])
    np.testing.assert_allclose(scales, [2 / 127, 1, 0.5 / 127])
    # of two channels whose products are added, the sum has no more than 127
    codes, scales = quantized_weights(w, 2)
    np.testing.assert_array_equal(codes, [[64, -127], [0, 0], [85, 42]])
    np.testing.assert_allclose(scales, [2 / 127, 1, 0.75 / 127])


@pytest.mark.usefixtures("instructions")
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("group", [1, 3, 24])
def test_no_sum_saturates(sign: int, group: int) -> None:
    """Codes and weights as large as they can be."""
    windows = Windows((6, 5), (3, 3), (1, 1), (1, 1), (1, 1), (6, 5))
    w = np.full((24, 24 // group, 3, 3), sign, np.float32)
    codes, scales = quantized_weights(w, 24 // group)
    x, found = np.full((1, 24, 6, 5), 255, np.float32), []
    for device in (UNTUNED, CPU):
        shape = windows, 1, 24, 24, group
        kernel = Int8Convolve.make(device, np.float32, *shape, Coding(1.0, 0))
        kernel.prepare(codes, scales, np.zeros(24, np.float32))
        found.append(np.zeros_like(x))
        kernel.forward(x, found[-1], False)
    np.testing.assert_array_equal(*found)
    assert abs(found[0][0, 0, 3, 2] * sign / (255 * 9 * 24 // group) - 1) < 0.01

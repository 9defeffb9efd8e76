"""BatchNorm of a GPU beside the definition."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.normalization import BatchNormScale, RunningStatistics
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import TYPES, Hand, assert_meets

# planes of odd size, of a whole number of packs, and smaller than one
SHAPES = [(2, 3, 5), (9, 37, 1), (1, 1, 7), (5, 2, 803), (3, 2, 624)]
EACH = pytest.mark.parametrize("shape", SHAPES, ids=str)
HOW = pytest.mark.parametrize(("scales", "rectify"), [(True, True), (True, False), (False, False)])


def passes(
    hand: Hand, shape: tuple[int, int, int], scales: bool, rectify: bool
) -> list[np.ndarray]:
    channels = shape[1]
    kernel = hand.make(BatchNormScale, *shape, 1e-3)
    x, dy, again = hand.drawn(*shape), hand.drawn(*shape), hand.drawn(*shape)
    scale, bias = (hand.weights(channels), hand.weights(channels)) if scales else (None, None)
    y, dx, fixed, inferred = (hand.blank(*shape) for _ in range(4))
    mean, variance, inverse, factor, shift = (hand.unknown(channels) for _ in range(5))
    dscale, dbias = hand.ones(channels), hand.ones(channels)
    kernel.forward_train(x, scale, bias, y, mean, variance, inverse, rectify=rectify)
    kernel.backward(dy, x, scale, bias, mean, inverse, dx, dscale, dbias, rectify=rectify)
    kernel.backward(
        dy, x, scale, bias, mean, inverse, fixed, None, None, rectify=rectify, fixed=True
    )
    kernel.backward(again, x, scale, None, None, inverse, again, None, None)
    kernel.fold(mean, inverse, scale, bias, factor, shift)
    kernel.forward_inference(x, factor, shift, inferred, rectify=rectify)
    return hand.back(y, mean, variance, inverse, dx, dscale, dbias, fixed, again, inferred)


@needs_compiler
@TYPES
@EACH
@HOW
def test_meets_the_definition(
    dtype: str,
    shape: tuple[int, int, int],
    scales: bool,
    rectify: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("protonet.kernels.cuda.normalization.pieces", lambda count, rows: 3)
    assert_meets(passes, EmulatedDevice(), dtype, shape, scales, rectify, rtol=1e-5)


@pytest.mark.gpu
@TYPES
@EACH
@HOW
def test_a_gpu_meets_the_definition(
    dtype: str, shape: tuple[int, int, int], scales: bool, rectify: bool
) -> None:
    assert_meets(passes, Device("cuda:0"), dtype, shape, scales, rectify, rtol=1e-5)


@needs_compiler
def test_statistics_keep_their_digits_far_from_zero() -> None:
    """Where squares would cancel: a mean of 10,000 deviations."""
    x = (1e4 + np.random.default_rng(4).normal(size=(8, 5, 1000))).astype(np.float32)
    device = EmulatedDevice()
    hand = Hand(device)
    kernel = BatchNormScale.make(device, np.float32, *x.shape, 0.0)
    mean, variance, inverse, y = *(hand.blank(5) for _ in range(3)), hand.blank(*x.shape)
    kernel.forward_train(hand.given(x), None, None, y, mean, variance, inverse)
    np.testing.assert_allclose(mean, x.mean((0, 2), dtype=np.float64), rtol=2e-7)
    np.testing.assert_allclose(variance, x.var((0, 2), dtype=np.float64), rtol=3e-5)


def batches(hand: Hand, averages: bool) -> list[np.ndarray]:
    kernel = hand.make(RunningStatistics, 300, 0.75, averages, 1.125)
    means, variances, weight = hand.unknown(300), hand.unknown(300), hand.unknown(1)
    for array in (means, variances, weight):
        array.fill(0.0)
    for _ in range(3):
        kernel.add(hand.weights(300), hand.weights(300), means, variances, weight)
    return hand.back(means, variances, weight)


KINDS = pytest.mark.parametrize("averages", [False, True])


@needs_compiler
@KINDS
def test_running_statistics_meet_the_definition(averages: bool) -> None:
    assert_meets(batches, EmulatedDevice(), "float32", averages)


@pytest.mark.gpu
@KINDS
def test_running_statistics_of_a_gpu_meet_the_definition(averages: bool) -> None:
    assert_meets(batches, Device("cuda:0"), "float32", averages)

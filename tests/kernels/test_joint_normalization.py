"""Moments of several ranks: the compiled version and the definition, beside one rank."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.joint_normalization import JointBatchNormScale
from protonet.kernels.normalization import BatchNormScale
from protonet.ranks.communicator import Communicator
from tests.kernels.instructions import MODULES, use


class Two(Communicator):
    """A rank of two; ``other`` is what the other one adds to each sum, in order."""

    size = 2

    def __init__(self) -> None:
        self.other: list[Array] = []
        self.told: list[Array] = []

    def sum(self, array: Array) -> None:
        self.told.append(array.copy())
        if self.other:
            array += self.other.pop(0)


EPS = 1e-3


def passes(
    kernel: BatchNormScale, x: Array, dy: Array, *, scales: bool, rectify: bool
) -> list[Array]:
    """All passes; the gradients of scale and bias are of the items given."""
    channels, real = x.shape[1], x.dtype
    scale, bias = None, None
    if scales:
        scale, bias = (
            np.linspace(1, 2, channels).astype(real),
            np.linspace(-1, 1, channels, dtype=real),
        )
    y, dx, fixed = (np.full_like(x, np.nan) for _ in range(3))
    mean, variance, inverse, dscale, dbias = np.zeros((5, channels), real)
    kernel.forward_train(x, scale, bias, y, mean, variance, inverse, rectify=rectify)
    kernel.backward(dy, x, scale, bias, mean, inverse, dx, dscale, dbias, rectify=rectify)
    kernel.backward(
        dy, x, scale, bias, mean, inverse, fixed, None, None, rectify=rectify, fixed=True
    )
    normed = (x - mean[:, None]) * inverse[:, None]
    again = dy.copy()
    kernel.backward(again, normed, scale, None, None, inverse, again, None, None)
    kernel.backward(dy, normed, scale, None, None, inverse, None, dscale, None)
    return [y, dx, fixed, again, mean, variance, inverse, dscale, dbias]


def of_two(
    device: Device, dtype: Any, x: Array, dy: Array, cut: int, **more: bool
) -> list[list[Array]]:
    """What two ranks compute of the items before and after ``cut``. Each is given what the other
    one tells, which is found by iterating.
    """
    parts = [slice(0, cut), slice(cut, None)]
    told: list[list[Array]] = [[], []]
    for _ in range(6):  # as many sums as there are, and one round with all of them
        found, before = [], [list(each) for each in told]
        for rank, part in enumerate(parts):
            ranks, mine = Two(), np.ascontiguousarray(x[part], dtype)
            ranks.other = before[1 - rank]
            kernel = JointBatchNormScale.make(device, dtype, *mine.shape, EPS, ranks, len(x))
            given = np.ascontiguousarray(dy[part], dtype)
            found.append(passes(kernel, mine, given, **more))
            told[rank] = ranks.told
    return found


def assert_whole(found: list[list[Array]], alone: list[Array], tolerance: float) -> None:
    """Values and their gradients are parts of the whole; moments are those of the whole; gradients
    of parameters add up to them.
    """
    for place, expected in enumerate(alone):
        limit = tolerance * np.abs(expected).max()
        ours = [each[place] for each in found]
        if place < 4:
            np.testing.assert_allclose(np.concatenate(ours), expected, rtol=0, atol=limit)
        elif place < 7:
            for each in ours:
                np.testing.assert_allclose(each, expected, rtol=0, atol=limit)
        else:
            np.testing.assert_allclose(sum(ours), expected, rtol=0, atol=limit)


@pytest.mark.parametrize(("scales", "rectify"), [(True, True), (True, False), (False, False)])
def test_the_parts_of_two_ranks_are_the_whole(scales: bool, rectify: bool) -> None:
    generator = np.random.default_rng(0)
    x, dy = 3 + generator.standard_normal((2, 5, 3, 7))
    untuned = Device("cpu", tuned=False)
    more = {"scales": scales, "rectify": rectify}
    kernel = BatchNormScale(untuned, np.float64, *x.shape, EPS)
    alone = passes(kernel, x, dy, **more)
    assert_whole(of_two(untuned, np.float64, x, dy, 2, **more), alone, 1e-12)


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("shape", [(5, 3, 7), (9, 37, 1), (5, 2, 20_003)])
def test_every_instruction_set_meets_the_whole(
    shape: tuple[int, int, int], module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(module, monkeypatch)
    x, dy = 3 + np.random.default_rng(0).standard_normal((2, *shape))
    more = {"scales": True, "rectify": True}
    kernel = BatchNormScale(Device("cpu", tuned=False), np.float64, *shape, EPS)
    alone = passes(kernel, x, dy, **more)
    assert_whole(of_two(Device(), np.float32, x, dy, 2, **more), alone, 6e-6)


def test_moments_keep_their_digits_far_from_zero() -> None:
    x = (1e4 + np.random.default_rng(4).normal(size=(8, 5, 1000))).astype(np.float32)
    for mine in of_two(Device(), np.float32, x, x, 3, scales=False, rectify=False):
        np.testing.assert_allclose(mine[4], x.mean((0, 2), dtype=np.float64), rtol=1e-7)
        np.testing.assert_allclose(mine[5], x.var((0, 2), dtype=np.float64), rtol=1e-5)

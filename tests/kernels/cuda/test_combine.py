"""Several arrays made one on a GPU beside the definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.combine import Combine
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import Hand, assert_same


def passes(device: Device, dtype: Any) -> list[np.ndarray]:
    hand, shape = Hand(device, dtype), (3, 5, 71)
    kernel = Combine.make(device, dtype, shape, 2)
    a, b, dy = (hand.drawn(*shape) for _ in range(3))
    out = [hand.blank(*shape) for _ in range(7)]
    kernel.weighted_sum([a, b], [1.0, 1.0], out[0])
    kernel.weighted_sum([a, b], [0.5, -2.0], out[1], rectify=True)
    kernel.scatter(dy, None, [1.0, 2.0], out[2:4])
    kernel.scatter(dy, None, [-1.0], out[4:5])
    kernel.scatter(dy, out[1], [0.5, -2.0], out[5:7])
    return hand.back(*out)


def several(device: Device, dtype: Any, count: int) -> list[np.ndarray]:
    hand, shape = Hand(device, dtype), (3, 5, 71)
    kernel = Combine.make(device, dtype, shape, count)
    xs, dy = [hand.drawn(*shape) for _ in range(count)], hand.drawn(*shape)
    out, dxs = [hand.blank(*shape) for _ in range(8)], [hand.blank(*shape) for _ in range(count)]
    cs = [(-1) ** place * (place + 0.5) for place in range(count)]
    kernel.weighted_sum(xs, cs, out[0])
    kernel.weighted_sum(xs, cs, out[1], rectify=True)
    kernel.scatter(hand.drawn(*shape), out[1], cs, dxs)
    kernel.product(xs, out[2])
    kernel.product(xs, out[3], rectify=True)
    kernel.quotient(dy, out[2], xs[1], out[4])
    kernel.mask(dy, out[3])
    # equal values, so that the order matters
    for x in xs:
        x[...] = hand.given(np.round(hand.back(x)[0].astype(np.float64)))
    xs[0][0, 0, 0] = xs[1][0, 0, 1] = xs[-1][0, 0, 2] = np.nan
    winner = device.empty(shape, kernel.winners)
    kernel.greatest(xs, out[5], winner)
    kernel.greatest_back(dy, winner, 0, out[6])
    kernel.greatest_back(dy, winner, count - 1, out[7])
    winners = [np.array(device.get(winner)).astype(np.float64)]
    kernel.greatest(xs, out[3], winner, rectify=True)
    return [*hand.back(*out, dy, *dxs), *winners]


COUNTS = pytest.mark.parametrize("count", [2, 3, 4, 5, 9])


@needs_compiler
def test_meets_the_definition() -> None:
    expected = passes(Device("cpu", tuned=False), np.float64)
    assert_same(passes(EmulatedDevice(), np.float32), expected)


@needs_compiler
@COUNTS
def test_several_meet_the_definition(count: int) -> None:
    expected = several(Device("cpu", tuned=False), np.float64, count)
    assert_same(several(EmulatedDevice(), np.float32, count), expected)


@pytest.mark.gpu
def test_a_gpu_meets_the_definition() -> None:
    expected = passes(Device("cpu", tuned=False), np.float64)
    assert_same(passes(Device("cuda:0"), np.float32), expected)


@pytest.mark.gpu
@COUNTS
def test_several_on_a_gpu_meet_the_definition(count: int) -> None:
    expected = several(Device("cpu", tuned=False), np.float64, count)
    assert_same(several(Device("cuda:0"), np.float32, count), expected)

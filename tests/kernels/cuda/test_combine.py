"""Several arrays made one on a GPU beside the definition."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.combine import Combine
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import TYPES, Hand, assert_meets


def passes(hand: Hand) -> list[np.ndarray]:
    shape = (3, 5, 71)
    kernel = hand.make(Combine, shape, 2)
    a, b, dy = (hand.drawn(*shape) for _ in range(3))
    out = [hand.blank(*shape) for _ in range(8)]
    kernel.weighted_sum([a, b], [1.0, 1.0], out[0])
    kernel.weighted_sum([a, b], [0.5, -2.0], out[1], rectify=True)
    kernel.scatter(dy, None, [1.0, 2.0], out[2:4])
    kernel.scatter(dy, None, [-1.0], out[4:5])
    kernel.scatter(dy, out[1], [0.5, -2.0], out[5:7])
    kernel.add(a, b, out[7])
    return hand.back(*out)


def several(hand: Hand, count: int) -> list[np.ndarray]:
    device, shape = hand.device, (3, 5, 71)
    kernel = hand.make(Combine, shape, count)
    xs, dy = [hand.drawn(*shape) for _ in range(count)], hand.drawn(*shape)
    out, dxs = [hand.blank(*shape) for _ in range(8)], [hand.blank(*shape) for _ in range(count)]
    cs = [(-1) ** place * (place + 0.5) for place in range(count)]
    kernel.weighted_sum(xs, cs, out[0])
    kernel.weighted_sum(xs, cs, out[1], rectify=True)
    kernel.scatter(hand.drawn(*shape), out[1], cs, dxs)
    kernel.product(xs, out[2])
    kernel.product(xs, out[3], rectify=True)
    kernel.quotient(dy, out[2], xs[1], out[4])
    kernel.mask(dy, out[1])
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
@TYPES
def test_meets_the_definition(dtype: str) -> None:
    assert_meets(passes, EmulatedDevice(), dtype)


@pytest.mark.gpu
@TYPES
def test_a_gpu_meets_the_definition(dtype: str) -> None:
    assert_meets(passes, Device("cuda:0"), dtype)


@needs_compiler
@TYPES
@COUNTS
def test_several_meet_the_definition(dtype: str, count: int) -> None:
    assert_meets(several, EmulatedDevice(), dtype, count)


@pytest.mark.gpu
@TYPES
@COUNTS
def test_several_on_a_gpu_meet_the_definition(dtype: str, count: int) -> None:
    assert_meets(several, Device("cuda:0"), dtype, count)

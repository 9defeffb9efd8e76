"""Losses on a GPU beside the definitions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.losses import (
    AbsoluteDistance,
    Contrastive,
    GradientScale,
    Hinge,
    SigmoidCrossEntropy,
    SmoothL1,
    SquaredDistance,
)
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import Hand, assert_meets

Passes = Callable[[Hand, int], list[np.ndarray]]


def squares(hand: Hand, count: int) -> list[np.ndarray]:
    kernel = hand.make(SquaredDistance, count)
    a, b, off, loss = hand.drawn(count), hand.drawn(count), hand.blank(count), hand.blank()
    kernel.forward(a, b, off, loss, 0.5 / count)
    return hand.back(off, loss)


def spread(hand: Hand, count: int) -> list[np.ndarray]:
    dx = hand.blank(count)
    hand.make(GradientScale, count).scale(hand.drawn(count), hand.given(2.0), 1 / count, dx)
    return hand.back(dx)


def distances(hand: Hand, count: int) -> list[np.ndarray]:
    kernel = hand.make(AbsoluteDistance, count)
    a, b, slope, loss = hand.drawn(count), hand.drawn(count), hand.blank(count), hand.blank()
    kernel.forward(a, b, slope, loss, 0.5 / count)
    return hand.back(slope, loss)


def smooth_distances(hand: Hand, count: int) -> list[np.ndarray]:
    a, b, u, v = (hand.drawn(count) for _ in range(4))
    found = []
    for weights in ((None, None), (u, None), (u, v)):
        slope, loss = hand.blank(count), hand.blank()
        kernel = hand.make(SmoothL1, count, 2.25)
        kernel.forward(a, b, *weights, slope, loss, 0.5 / count)
        found += hand.back(slope, loss)
    return found


def contrasts(hand: Hand, count: int) -> list[np.ndarray]:
    items, length = min(count, 9), -(-count // 9)
    a, b = hand.drawn(items, length), hand.drawn(items, length)
    alike, found = hand.given(np.arange(items) % 3 - 0.5), []
    for legacy in (False, True):
        kernel = hand.make(Contrastive, items, length, 1.5 * length**0.5, legacy)
        slope, loss = hand.blank(items * length), hand.blank()
        kernel.forward(a, b, alike, slope, loss, 0.5 / items)
        found += hand.back(slope, loss)
    return found


def hinges(hand: Hand, count: int) -> list[np.ndarray]:
    items, classes = -(-count // 7), 7
    x, labels, found = hand.drawn(items, classes), hand.given(np.arange(items) % classes), []
    for squared in (False, True):
        slope, loss = hand.blank(items, classes), hand.blank()
        hand.make(Hinge, items, classes, squared).forward(x, labels, slope, loss, 1 / items)
        found += hand.back(slope, loss)
    return found


def entropies(hand: Hand, count: int) -> list[np.ndarray]:
    x, t, found = hand.drawn(count), hand.drawn(count), []
    for ignored in (None, 0, -1):
        kernel = hand.make(SigmoidCrossEntropy, count, ignored)
        loss, counted, dx = hand.blank(), hand.blank(), hand.blank(count)
        kernel.forward(x, t, loss, counted)
        kernel.backward(x, t, hand.given(2.0), dx)
        found += hand.back(loss, counted, dx)
    return found


COUNTS = pytest.mark.parametrize("count", [1, 300, 70_001])
EACH = pytest.mark.parametrize(
    "passes", [squares, spread, distances, smooth_distances, contrasts, hinges, entropies]
)


@needs_compiler
@EACH
@COUNTS
def test_meets_the_definition(passes: Passes, count: int) -> None:
    assert_meets(passes, EmulatedDevice(), "float32", count)


@pytest.mark.gpu
@EACH
@COUNTS
def test_a_gpu_meets_the_definition(passes: Passes, count: int) -> None:
    assert_meets(passes, Device("cuda:0"), "float32", count)

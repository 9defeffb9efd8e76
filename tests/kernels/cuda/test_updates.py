"""The steps of solvers on a GPU beside their definitions, at once and in two halves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.updates import Update
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import Hand, assert_same
from tests.kernels.test_updates import RULES

EACH = pytest.mark.parametrize(("kind", "slots", "constants"), RULES, ids=str)
PENALTY = pytest.mark.parametrize(("decay", "l1"), [(0.0, False), (0.1, False), (0.1, True)])


def walk(
    device: Device,
    dtype: Any,
    kind: type[Update],
    slots: int,
    constants: dict[str, float],
    decay: float,
    l1: bool,
    shift: int = 0,
) -> list[np.ndarray]:
    """Weights and history after some steps."""
    hand, size = Hand(device, dtype, shift=shift), 203
    w, g = hand.drawn(size), hand.blank(size)
    history = [hand.given(np.zeros(size)) for _ in range(slots)]
    update = kind.make(device, dtype, w, g, history, decay, l1, **constants)
    assert update.capturable == (update.processor == "cuda")
    for iteration in range(5):
        device.put(hand.back(hand.drawn(size))[0], g)
        share = 1.0 if iteration % 2 else 0.25
        if update.capturable and iteration > 2:
            update.prepare(0.1, iteration)
            update.launch(share)
        else:
            update.step(0.1, iteration, share)
    return hand.back(w, *history)


@needs_compiler
@EACH
@PENALTY
def test_meets_the_definition(
    kind: type[Update], slots: int, constants: dict[str, float], decay: float, l1: bool
) -> None:
    how = (kind, slots, constants, decay, l1)
    expected = walk(Device("cpu", tuned=False), np.float64, *how)
    for shift in (0, 1):
        assert_same(walk(EmulatedDevice(), np.float32, *how, shift), expected, 1e-5)


@pytest.mark.gpu
@EACH
@PENALTY
def test_a_gpu_meets_the_definition(
    kind: type[Update], slots: int, constants: dict[str, float], decay: float, l1: bool
) -> None:
    how = (kind, slots, constants, decay, l1)
    expected = walk(Device("cpu", tuned=False), np.float64, *how)
    for shift in (0, 1):
        assert_same(walk(Device("cuda:0"), np.float32, *how, shift), expected, 1e-5)

"""A step of an LSTM on a GPU beside the definition."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.lstm import LSTMStep
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import Hand, assert_meets


def passes(hand: Hand) -> list[np.ndarray]:
    streams, outputs = 7, 53
    kernel = hand.make(LSTMStep, streams, outputs)
    cont = hand.given(np.arange(streams).reshape(streams, 1) % 3 != 0)
    c_before, dc, dh = (hand.drawn(streams, outputs) for _ in range(3))
    acts, dacts = hand.drawn(streams, 4 * outputs), hand.blank(streams, 4 * outputs)
    c, tanh_c, h = (hand.blank(streams, outputs) for _ in range(3))
    kernel.forward(cont, c_before, acts, c, tanh_c, h)
    kernel.backward(c_before, acts, tanh_c, dc, dh, dacts, dc)
    return hand.back(acts, c, tanh_c, h, dacts, dc)


@needs_compiler
def test_meets_the_definition() -> None:
    assert_meets(passes, EmulatedDevice(), "float32")


@pytest.mark.gpu
def test_a_gpu_meets_the_definition() -> None:
    assert_meets(passes, Device("cuda:0"), "float32")

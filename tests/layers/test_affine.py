"""Chains of affine layers: as if they were one."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.blob import Array
from protonet.device import Device
from protonet.layers.affine import Affine, AffineChain
from protonet.layers.base import Layer
from protonet.proto.caffe_pb2 import LayerParameter

RED, BLUE, OLD = (np.array(values, np.float32) for values in ([2, -3], [0.5, 4], [7, 11]))


class Stretch(Layer):
    """A layer that scales and shifts as it is told."""

    def __init__(self, times: Affine | None, plus: Affine | None) -> None:
        super().__init__(LayerParameter(name="s"))
        self.given = times, plus

    def affine(self) -> tuple[Affine | None, Affine | None]:
        return self.given


CHAINS: list[list[tuple[Affine | None, Affine | None]]] = [
    [],
    [(2.0, None)],
    [(None, 3.0)],
    [(RED, BLUE)],
    [(None, BLUE), (RED, None)],
    [(0.5, 1.0), (RED, BLUE), (BLUE, None), (None, -2.0)],
]


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("factor", [None, OLD])
@pytest.mark.parametrize("shift", [None, OLD])
def test_a_chain_is_one_factor_and_one_shift(
    chain: list[tuple[Affine | None, Affine | None]], factor: Array | None, shift: Array | None
) -> None:
    layers = [Layer(LayerParameter(name="other")), *(Stretch(*each) for each in chain)]
    found = AffineChain(Device("cpu"), np.float32, 2, layers)
    x = np.array([1.5, -0.25], np.float32)

    def applied(value: Array, times: Affine | None, plus: Affine | None) -> Array:
        return value * (1 if times is None else times) + (0 if plus is None else plus)

    expected = applied(x, factor, shift)
    for each in chain:
        expected = applied(expected, *each)
    for _ in range(2):  # what was given is as it was
        np.testing.assert_allclose(applied(x, *found.compose(factor, shift)), expected, rtol=1e-6)
    np.testing.assert_array_equal(OLD, [7, 11])
    np.testing.assert_array_equal(RED, [2, -3])

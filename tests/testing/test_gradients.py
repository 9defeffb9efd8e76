"""The check of gradients finds what is wrong with a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from protonet.blob import Shape
from protonet.layers import Layer
from protonet.layers.base import Reads, Traits, Weight
from protonet.layers.registry import LAYERS
from protonet.proto.caffe_pb2 import FillerParameter
from protonet.testing import check_gradients


class Cube(Layer):
    """y = w x^3 with a scalar parameter w; ``fault`` says what it does wrong."""

    fault = ""
    traits = Traits(backward_reads=frozenset({Reads.BOTTOMS}))

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [shapes[0]]

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        return [Weight((), FillerParameter(value=1))]

    def forward(self, bottoms: Sequence[Any], tops: Sequence[Any]) -> None:
        tops[0][...] = self.params[0].data * bottoms[0] ** 3

    def backward(
        self,
        dtops: Sequence[Any],
        bottoms: Sequence[Any],
        tops: Sequence[Any],
        dbottoms: Sequence[Any],
    ) -> None:
        weight = self.params[0]
        assert weight.diff is not None
        if self.fault != "overwrites":
            weight.diff += (dtops[0] * bottoms[0] ** 3).sum()
        else:
            weight.diff[...] = (dtops[0] * bottoms[0] ** 3).sum()
        dbottoms[0][...] = 3 * weight.data * bottoms[0] ** 2 * dtops[0]
        if self.fault == "wrong":
            dbottoms[0][0, 1] *= 1.001
        if self.fault == "partial":
            dbottoms[0][0, 1] = np.nan
        if self.fault == "lies":
            dbottoms[0][...] = 3 * tops[0] / bottoms[0] * dtops[0]
        if self.fault == "adds":
            dbottoms[0][...] += dtops[0]


@pytest.fixture(autouse=True)
def cube(monkeypatch: pytest.MonkeyPatch) -> type[Cube]:
    fresh = type("Fresh", (Cube,), {"type": "Cube"})
    monkeypatch.setitem(LAYERS, "Cube", fresh)
    return fresh


def test_a_right_layer_passes() -> None:
    check_gradients('type: "Cube"', [(2, 3, 5)])


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("wrong", "gradient of bottom 0: the slope is"),
        ("adds", "gradient of bottom 0: the slope is"),
        ("partial", r"\(not all of it is written\)"),
        ("lies", r"\(not all of it is written\)"),
        ("overwrites", "gradient of parameter 0: the slope is"),
    ],
)
def test_a_wrong_one_does_not(cube: type[Cube], fault: str, message: str) -> None:
    cube.fault = fault
    with pytest.raises(AssertionError, match=message):
        check_gradients('type: "Cube"', [(2, 3, 5)])


def test_shapes_stay_clear_of_kinks() -> None:
    check_gradients('type: "ReLU"', [(40, 50, 30)], kinks=(0,))


def test_a_kink_shows() -> None:
    with pytest.raises(AssertionError, match="gradient of bottom 0"):
        check_gradients('type: "ReLU"', [np.zeros((3, 4))])

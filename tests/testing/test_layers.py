"""The whole contract in one call: it passes what is right and finds what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from protonet.blob import Shape
from protonet.layers import Layer
from protonet.layers.base import Traits
from protonet.layers.registry import LAYERS
from protonet.testing import check_layer


class Double(Layer):
    """y = 2 x; ``fault`` says what it does wrong."""

    fault = ""
    traits = Traits(backward_reads=frozenset(), in_place=True)

    def setup(self) -> None:
        self.seen: list[Shape] = []

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        if self.fault == "remembers":
            self.seen.append(shapes[0])
        if self.fault == "keeps":
            self.count = shapes[0][0]
        return [shapes[0]]

    def forward(self, bottoms: Sequence[Any], tops: Sequence[Any]) -> None:
        if self.fault == "partial":
            tops[0][0] = 2 * bottoms[0][0]
            return
        if self.fault == "adds":
            tops[0] += 2 * bottoms[0]
            return
        if self.fault == "not in place":
            tops[0][...] = 0
        tops[0][...] = 2 * bottoms[0]

    def backward(
        self,
        dtops: Sequence[Any],
        bottoms: Sequence[Any],
        tops: Sequence[Any],
        dbottoms: Sequence[Any],
    ) -> None:
        dbottoms[0][...] = (3 if self.fault == "gradient" else 2) * dtops[0]


@pytest.fixture(autouse=True)
def double(monkeypatch: pytest.MonkeyPatch) -> type[Double]:
    fresh = type("Fresh", (Double,), {"type": "Double"})
    monkeypatch.setitem(LAYERS, "Double", fresh)
    return fresh


def test_a_layer_that_keeps_its_contract() -> None:
    check_layer('type: "TanH"', [(2, 3, 5)])
    check_layer('type: "ReLU"', [(2, 3, 5)], kinks=[0.0])


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("remembers", "infer or declare changes seen of the layer"),
        ("keeps", "infer or declare changes count of the layer"),
        ("partial", "top 0 is not written whole"),
        ("adds", "top 0 is (not written whole|another in a second pass)"),
        ("gradient", "gradient of bottom 0"),
        ("not in place", "gradient of bottom 0"),
    ],
)
def test_what_is_wrong_is_found(double: type[Double], fault: str, message: str) -> None:
    double.fault = fault
    with pytest.raises(AssertionError, match=message):
        check_layer('type: "Double"', [np.ones((2, 3))])

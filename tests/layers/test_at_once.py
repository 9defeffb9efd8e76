"""What layers that are computed at once ask of their kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from protonet.layers.at_once import AtOnce


class Doubling:
    """A kernel that is one function, or not."""

    def __init__(self, settles: bool) -> None:
        self.settles = settles

    def forward(self, x: np.ndarray, y: np.ndarray) -> None:
        np.multiply(x, 2, out=y)

    def call(self, x: np.ndarray, y: np.ndarray) -> Any:
        return (np.multiply, (x, 2, y)) if self.settles else None


class Doubled(AtOnce):
    def __init__(self, settles: bool) -> None:
        self._kernel = Doubling(settles)

    def _arguments(self, bottoms: Sequence[Any], tops: Sequence[Any]) -> tuple[Any, ...]:
        return bottoms[-1], tops[0]


def test_one_pass_and_the_call_that_it_settles_to() -> None:
    x, y = np.arange(6.0), np.zeros(6)
    Doubled(settles=False).forward([x + 1, x], [y])
    np.testing.assert_array_equal(y, 2 * x)
    call = Doubled(settles=True).settled([x + 1], [y])
    assert call is not None
    call[0](*call[1])
    np.testing.assert_array_equal(y, 2 * x + 2)
    assert Doubled(settles=False).settled([x], [y]) is None

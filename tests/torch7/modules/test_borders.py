"""Borders beside those of NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.errors import NetworkError
from tests.torch7.modules.windows import forward, random
from tests.torch7.trees import nn


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("SpatialZeroPadding", "constant"),
        ("SpatialReflectionPadding", "reflect"),
        ("SpatialReplicationPadding", "edge"),
    ],
)
def test_borders_of_planes(name: str, mode: Any) -> None:
    x = random(2, 3, 5, 4)
    expected = np.pad(x, [(0, 0), (0, 0), (3, 0), (1, 2)], mode=mode)
    np.testing.assert_array_equal(forward(nn(name, 1, 2, 3, 0), x), expected)
    np.testing.assert_array_equal(forward(nn(name, 1, 2, 3, 0), x[0]), expected[0])
    whole = np.pad(x, [(0, 0), (0, 0), (2, 2), (2, 2)], mode=mode)
    np.testing.assert_array_equal(forward(nn(name, 2), x), whole)
    np.testing.assert_array_equal(forward(nn(name, -1, 0, -2, 0), x), x[:, :, 2:, 1:])


def test_borders_of_volumes() -> None:
    x = random(2, 3, 4, 5, 3)
    y = forward(nn("VolumetricReplicationPadding", 1, 2, 0, 3, 4, 1), x)
    expected = np.pad(x, [(0, 0), (0, 0), (4, 1), (0, 3), (1, 2)], mode="edge")
    np.testing.assert_array_equal(y, expected)


def test_what_is_refused() -> None:
    with pytest.raises(NetworkError, match="expected an input of 3 or 4 axes, got 4x5"):
        forward(nn("SpatialZeroPadding", 1), random(4, 5))
    with pytest.raises(NetworkError, match="axis 3 has 5 values, too few for a border of 5"):
        forward(nn("SpatialReflectionPadding", 5), random(1, 2, 9, 5))

"""Fractional poolings: sizes and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from tests.torch7.modules.windows import forward, random
from tests.torch7.trees import call, nn


def test_sizes_of_outputs() -> None:
    x = random(2, 3, 9, 11)
    assert forward(nn("SpatialFractionalMaxPooling", 3, 2, 6, 5), x).shape == (2, 3, 5, 6)
    by_part = nn("SpatialFractionalMaxPooling", 2, 2, 0.5, 0.7)
    assert forward(by_part, x).shape == (2, 3, 6, 5)
    assert forward(by_part, x[0]).shape == (3, 6, 5)
    volume = random(2, 3, 7, 9, 11)
    made = nn("VolumetricFractionalMaxPooling", 2, 3, 2, 4, 6, 5)
    assert forward(made, volume).shape == (2, 3, 4, 5, 6)


def test_the_last_windows_end_with_the_plane() -> None:
    x = np.arange(99.0).reshape(1, 1, 9, 11).astype(np.float32)
    y = forward(nn("SpatialFractionalMaxPooling", 3, 2, 6, 5), x)
    assert y[0, 0, -1, -1] == 98
    assert y[0, 0, 0, 0] == 13  # rows 0 and 1, columns 0 to 2


def test_what_is_refused() -> None:
    with pytest.raises(LayerError, match="poolSizeW must be a whole number of 2 or more, got 1"):
        nn("SpatialFractionalMaxPooling", 1, 2, 6, 5)
    with pytest.raises(LayerError, match=r"outW must be at least 1 like the others.* got 6"):
        nn("SpatialFractionalMaxPooling", 3, 2, 6, 0.5)
    made = nn("SpatialFractionalMaxPooling", 3, 2, 6, 5)
    assert call(made, "fixPoolingRegions") is made
    with pytest.raises(NetworkError, match="remove fixPoolingRegions"):
        forward(made, random(1, 1, 9, 9))

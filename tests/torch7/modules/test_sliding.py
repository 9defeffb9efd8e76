"""Numbers of windows, and inputs without a batch axis."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchModule
from protonet.torch7.modules.sliding import only
from tests.torch7.modules.windows import forward, random
from tests.torch7.trees import nn


@pytest.mark.parametrize("value", [0, 2.5, True, "3"])
def test_an_argument_that_is_no_whole_number_is_named(value: Any) -> None:
    message = f"nn.SpatialConvolution: kW must be a whole number of 1 or more, got {value}"
    with pytest.raises(LayerError, match=message):
        nn("SpatialConvolution", 3, 4, value, 3)


def test_numbers_of_axes_that_are_equal_are_said_once() -> None:
    assert only([1, 1], 1) == []
    assert only([2, 2], 1) == [2]
    assert only([1, 2, 1], 1) == [1, 2, 1]


def test_an_input_without_a_batch_axis_is_an_item() -> None:
    pool, x = nn("SpatialMaxPooling", 2, 3), random(3, 6, 4)
    model = TorchModule(pool, [x.shape])
    whole = TorchModule(pool, [(1, *x.shape)])
    np.testing.assert_array_equal(model.forward(x), whole.forward(x[None])[0])
    dy = random(3, 2, 2)
    np.testing.assert_array_equal(model.backward(dy)[0], whole.backward(dy[None])[0][0])


def test_other_numbers_of_axes_are_refused() -> None:
    with pytest.raises(NetworkError, match="expected an input of 3 or 4 axes, got 6x4"):
        forward(nn("SpatialMaxPooling", 2, 3), random(6, 4))

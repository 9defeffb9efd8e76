"""SpatialSubSampling beside the formula."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import NetworkError
from protonet.torch7.api import TorchModule
from protonet.torch7.modules.base import Session, create
from tests.torch7.modules.windows import forward, random
from tests.torch7.trees import Draws


def test_sums_of_windows_with_a_weight() -> None:
    draws = Draws()
    made = create("nn.SpatialSubSampling", [3, 2, 2, 2, 2], Session(draws))
    assert draws.asked == [("uniform", -0.5, 0.5)] * 2
    x, w, b = random(2, 3, 6, 8), made.fields["weight"].array, made.fields["bias"].array
    sums = x.reshape(2, 3, 3, 2, 4, 2).sum(axis=(3, 5))
    model = TorchModule(made, [x.shape])
    expected = sums * w[:, None, None] + b[:, None, None]
    np.testing.assert_allclose(model.forward(x), expected, rtol=1e-4, atol=1e-6)
    dy = random(*sums.shape)
    model.backward(dy)
    np.testing.assert_allclose(model.parameters()[0][1], (dy * sums).sum(axis=(0, 2, 3)), rtol=1e-4)
    with pytest.raises(NetworkError, match="expected 3 input planes, got 2x4x6x8"):
        forward(made, random(2, 4, 6, 8))

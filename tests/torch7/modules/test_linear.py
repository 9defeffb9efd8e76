"""Products with weights: initial values and what is refused."""

from __future__ import annotations

import pytest

from protonet.errors import NetworkError
from protonet.torch7.api import TorchModule
from protonet.torch7.modules.base import Session, create
from tests.torch7.trees import Draws, nn


def test_linear_draws_weight_and_bias_by_the_inputs() -> None:
    draws = Draws()
    create("nn.Linear", [16, 3], Session(draws))
    assert draws.asked == [("uniform", -0.25, 0.25)] * 2
    create("nn.Linear", [16, 3, False], Session(draws))
    assert len(draws.asked) == 3


def test_linear_refuses_other_vectors() -> None:
    with pytest.raises(NetworkError, match="expected vectors of 4, got 2x5"):
        TorchModule(nn("Linear", 4, 3), [(2, 5)])

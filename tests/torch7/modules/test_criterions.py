"""Losses."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.torch7.api import TorchCriterion
from tests.torch7.trees import nn


def test_mse_averages_unless_it_is_told_not_to() -> None:
    x, t = np.ones((2, 3)), np.full((2, 3), 3)
    assert TorchCriterion(nn("MSECriterion")).forward(x, t) == pytest.approx(4)
    assert TorchCriterion(nn("MSECriterion", False)).forward(x, t) == pytest.approx(24)

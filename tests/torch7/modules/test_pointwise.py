"""Functions of each element."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import NetworkError
from protonet.torch7.api import TorchModule
from tests.torch7.trees import nn


def test_mul_constant() -> None:
    model = TorchModule(nn("MulConstant", -2.5), [(2, 3)])
    assert model.forward(np.full((2, 3), 4)).tolist() == [[-10] * 3] * 2
    assert model.backward(np.ones((2, 3)))[0].tolist() == [[-2.5] * 3] * 2


def test_a_table_is_refused() -> None:
    with pytest.raises(NetworkError, match="expected a tensor, got a table of 2"):
        TorchModule(nn("MulConstant", 2), [(2, 3), (2, 3)])

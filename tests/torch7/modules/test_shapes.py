"""Other views of the same elements."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import NetworkError
from protonet.torch7.api import TorchModule
from tests.torch7.trees import call, nn


def test_view_keeps_the_batch_axis_of_longer_inputs() -> None:
    view = call(nn("View", 5, -1), "setNumInputDims", 2)
    x = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    assert TorchModule(view, [(3, 4, 5)]).forward(x).tolist() == x.reshape(3, 5, 4).tolist()
    assert TorchModule(view, [(4, 5)]).forward(x[0]).tolist() == x[0].reshape(5, 4).tolist()


def test_view_refuses_other_counts() -> None:
    with pytest.raises(NetworkError, match="cannot view 3x4 as 5x-1"):
        TorchModule(nn("View", 5, -1), [(3, 4)])

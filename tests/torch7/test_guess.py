"""The shape of the images that a model takes, as far as it tells."""

from __future__ import annotations

import numpy as np

from protonet.torch7.guess import input_shape
from protonet.torch7.objects import Tensor
from tests.torch7.trees import call, nn, sequential


def test_a_linear_tells_the_only_square_that_fits() -> None:
    view = call(nn("View", -1), "setNumInputDims", 3)
    assert input_shape(sequential(view, nn("Linear", 2500, 2))) == (1, 50, 50)
    assert input_shape(sequential(view, nn("Linear", 3 * 64, 2))) == (3, 8, 8)
    assert input_shape(sequential(view, nn("Linear", 7, 2))) is None


def test_the_state_tells_the_last_input() -> None:
    net = sequential(sequential(nn("MulConstant", 2)))
    assert input_shape(net) is None  # of any size
    first = net.fields["modules"][1].fields["modules"][1]
    first.fields["gradInput"] = Tensor.of(np.zeros((7, 3, 5, 4)))
    assert input_shape(net) == (3, 5, 4)

"""Products with weights: initial values and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchModule
from protonet.torch7.modules.base import Session, create
from tests.torch7.modules.computing import same
from tests.torch7.trees import Draws, call, nn


def test_linear_draws_weight_and_bias_by_the_inputs() -> None:
    draws = Draws()
    create("nn.Linear", [16, 3], Session(draws))
    assert draws.asked == [("uniform", -0.25, 0.25)] * 2
    create("nn.Linear", [16, 3, False], Session(draws))
    assert len(draws.asked) == 3


def test_linear_refuses_other_vectors() -> None:
    with pytest.raises(NetworkError, match="expected vectors of 4, got 2x5"):
        TorchModule(nn("Linear", 4, 3), [(2, 5)])


def test_linear_of_a_vector_and_without_bias() -> None:
    made = call(nn("Linear", 4, 3), "noBias")
    model = TorchModule(made, [(4,)])
    ((weight, gradient),) = model.parameters()
    x, dy = np.arange(4.0), np.arange(3.0)
    same(model.forward(x), weight @ x.astype(np.float32))
    same(model.backward(dy)[0], dy @ weight)
    same(gradient, np.outer(dy, x))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((4,), "outputSize must be a number, got nil"),
        ((4.5, 2), "inputSize must be a whole number, got 4.5"),
        ((4, 0), "outputSize must be 1 or more, got 0"),
        ((4, 2, 1), "bias must be true or false, got 1"),
    ],
)
def test_arguments_of_linear(arguments: tuple[object], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        nn("Linear", *arguments)

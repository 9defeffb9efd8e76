"""Modules that pass their input on, and change its gradient."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.torch7.api import TorchModule
from protonet.torch7.modules.base import module_class
from protonet.torch7.objects import TorchObject
from tests.torch7.modules.computing import outputs, same, slopes
from tests.torch7.trees import call, nn, sequential

X = np.array([[-2, 0, 3]], np.float32)


def test_gradients_are_reversed() -> None:
    made = nn("GradientReversal")
    same(outputs(made, X), X)
    same(slopes(made, X)[0], np.array([[-1, -2, -3]]))
    call(made, "setLambda", 0.5)
    same(slopes(made, X)[0], np.array([[-0.5, -1, -1.5]]))


def test_an_old_reversal_has_no_lambda() -> None:
    made = TorchObject("nn.GradientReversal")
    assert module_class("nn.GradientReversal")(made).number("lambda", 1) == 1
    same(slopes(made, X)[0], np.array([[-1, -2, -3]]))


@pytest.mark.parametrize(
    ("arguments", "slope"),
    [
        ((0.5,), [0.5, 2, 3.5]),
        ((0.6, True), [0.8, 2, 3.2]),
        ((0.5, False, False), [-0.5, 0, 0.5]),
    ],
)
def test_penalties(arguments: tuple[object], slope: list[float]) -> None:
    made = nn("L1Penalty", *arguments)
    same(outputs(made, X), X)
    same(slopes(made, X)[0], np.array([slope]))
    inside = sequential(nn("MulConstant", 1), made, nn("MulConstant", 1))
    same(slopes(inside, X)[0], np.array([slope]))


def test_a_penalty_is_not_deployed() -> None:
    model = TorchModule(nn("L1Penalty", 0.5), [(2, 3)])
    (layer,) = model.translated.definition.net.layer
    assert [list(rule.stage) for rule in layer.exclude] == [["deploy"]]


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("GradientReversal", ("x",), "lambda must be a number, got x"),
        ("L1Penalty", (), "l1weight must be a number, got nil"),
        ("L1Penalty", (1, 2), "sizeAverage must be true or false, got 2"),
    ],
)
def test_arguments_that_are_refused(name: str, arguments: tuple[object], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        nn(name, *arguments)

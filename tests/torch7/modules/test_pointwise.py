"""Functions of each element, without bends."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchModule
from protonet.torch7.objects import Tensor, TorchObject
from tests.torch7.modules.computing import inputs, outputs, same, slopes
from tests.torch7.trees import nn


def test_mul_constant() -> None:
    model = TorchModule(nn("MulConstant", -2.5), [(2, 3)])
    assert model.forward(np.full((2, 3), 4)).tolist() == [[-10] * 3] * 2
    assert model.backward(np.ones((2, 3)))[0].tolist() == [[-2.5] * 3] * 2


def test_a_table_is_refused() -> None:
    with pytest.raises(NetworkError, match="expected a tensor, got a table of 2"):
        TorchModule(nn("MulConstant", 2), [(2, 3), (2, 3)])


Function = Callable[[np.ndarray], np.ndarray]


def logistic(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


@pytest.mark.parametrize(
    ("made", "function", "slope"),
    [
        (nn("Abs"), np.abs, np.sign),
        (nn("Exp"), np.exp, np.exp),
        (nn("Log"), np.log, lambda x: 1 / x),
        (nn("Tanh"), np.tanh, lambda x: 1 - np.tanh(x) ** 2),
        (nn("Sigmoid"), logistic, lambda x: logistic(x) * (1 - logistic(x))),
        (nn("Square"), lambda x: x * x, lambda x: 2 * x),
        (nn("Power", 1.5), lambda x: x**1.5, lambda x: 1.5 * np.sqrt(x)),
        (nn("Power", 3), lambda x: x**3, lambda x: 3 * x * x),
        (nn("AddConstant", -1.5, True), lambda x: x - 1.5, np.ones_like),
        (nn("Sqrt"), np.sqrt, lambda x: 0.5 / np.sqrt(x)),
        (nn("Sqrt", 0.1), np.sqrt, lambda x: 0.5 / np.sqrt(x)),
        (nn("SoftSign"), lambda x: x / (1 + x), lambda x: (1 + x) ** -2.0),
        (nn("SoftPlus"), lambda x: np.log1p(np.exp(x)), logistic),
        (nn("SoftPlus", 2), lambda x: np.log1p(np.exp(2 * x)) / 2, lambda x: logistic(2 * x)),
        (nn("LogSigmoid"), lambda x: np.log(logistic(x)), lambda x: logistic(-x)),
        (nn("TanhShrink"), lambda x: x - np.tanh(x), lambda x: np.tanh(x) ** 2),
    ],
)  # fmt: skip
@pytest.mark.parametrize("shape", [(7,), (2, 3), (2, 3, 4, 5), (2, 3, 2, 3, 2)])
def test_values_and_slopes(
    made: TorchObject, function: Function, slope: Function, shape: tuple[int, ...]
) -> None:
    (x,) = inputs(shape)
    x = (np.abs(x) + 1) / 20
    same(outputs(made, x), function(x))
    places = np.arange(1, x.size + 1, dtype=np.float32).reshape(shape)
    same(slopes(made, x)[0] / places, slope(x))


def test_a_constant_for_each_value_of_a_vector() -> None:
    constant = np.array([1, 2, 3])
    made = nn("AddConstant", Tensor.of(constant))
    (x,) = inputs((2, 3))
    same(outputs(made, x), x + constant)
    same(outputs(made, x[0]), x[0] + constant)
    assert not TorchModule(made, [(2, 3)]).parameters()
    with pytest.raises(NetworkError, match="expected vectors of 3, as the constant, got 2x4"):
        TorchModule(made, [(2, 4)])


@pytest.mark.parametrize(
    ("shape", "axis"), [((5,), 0), ((2, 5), 1), ((5, 2, 3), 0), ((2, 5, 3, 4), 1)]
)
def test_channels_of_the_soft_maxima(shape: tuple[int, ...], axis: int) -> None:
    (x,) = inputs(shape)
    for name, sign in (("SoftMax", 1), ("SpatialSoftMax", 1), ("SoftMin", -1)):
        raised = np.exp(sign * (x - x.mean()).astype(float))
        same(outputs(nn(name), x), raised / raised.sum(axis, keepdims=True))
    for name in ("LogSoftMax", "SpatialLogSoftMax"):
        raised = np.exp((x - x.mean()).astype(float))
        expected = np.log(raised / raised.sum(axis, keepdims=True))
        same(outputs(nn(name), x), expected)


def test_the_root_of_0_has_no_slope() -> None:
    assert slopes(nn("Sqrt"), np.array([0, 4], np.float32))[0].tolist() == [0, 0.5]


def test_soft_maxima_of_volumes_are_refused() -> None:
    with pytest.raises(NetworkError, match="an input of 1 to 4 dimensions, got 5"):
        TorchModule(nn("SoftMax"), [(2, 3, 4, 5, 6)])


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("MulConstant", (), "constant_scalar must be a number, got nil"),
        ("MulConstant", (2, 3), "in-place flag must be true or false, got 3"),
        ("AddConstant", (True,), "constant_scalar must be a number, got True"),
        ("Power", (), "power.* must be a number, got nil"),
    ],
)
def test_arguments_that_are_refused(name: str, arguments: tuple[object], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        nn(name, *arguments)

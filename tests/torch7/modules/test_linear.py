"""Products with weights: initial values and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchModule
from protonet.torch7.modules.base import Session, create
from protonet.torch7.objects import Tensor, TorchObject
from tests.torch7.modules.computing import inputs, same
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


def bilinear(weight: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("ni,kij,nj->nk", a, weight, b)


@pytest.mark.parametrize("bias", [None, False])
def test_bilinear(bias: bool | None) -> None:
    a, b = inputs((2, 5), (2, 4))
    model = TorchModule(nn("Bilinear", 5, 4, 3, bias), [(2, 5), (2, 4)])
    (weight, dweight), *rest = model.parameters()
    shift = rest[0][0] if rest else 0
    assert weight.shape == (3, 5, 4)
    same(model.forward(a, b), bilinear(weight, a, b) + shift)
    dy = np.arange(1.0, 7).reshape(2, 3)
    da, db = model.backward(dy)
    same(da, np.einsum("nk,kij,nj->ni", dy, weight, b))
    same(db, np.einsum("nk,kij,ni->nj", dy, weight, a))
    same(dweight, np.einsum("nk,ni,nj->kij", dy, a, b))
    for _, gradient in rest:
        same(gradient, dy.sum(0))


def test_bilinear_draws_by_its_first_inputs() -> None:
    draws = Draws()
    made = create("nn.Bilinear", [16, 4, 3], Session(draws))
    assert draws.asked == [("uniform", -0.25, 0.25)] * 2
    call(made, "reset", 0)
    assert not made.fields["weight"].array.any()


def test_linear_weight_norm() -> None:
    x, dy = inputs((2, 4), (2, 3))
    model = TorchModule(nn("LinearWeightNorm", 4, 3), [(2, 4)])
    (v, dv), (g, dg), (bias, dbias) = model.parameters()
    assert (v.shape, g.shape, bias.shape) == ((3, 4), (3, 1), (3,))
    same(g, np.sqrt((v * v).sum(1, keepdims=True)))  # the initial weight is v
    g[...] = [[1], [2], [3]]
    lengths = np.sqrt((v.astype(float) ** 2).sum(1, keepdims=True))
    weight = g * v / lengths
    same(model.forward(x), x @ weight.T + bias)
    same(model.backward(dy)[0], dy @ weight)
    dweight = dy.T @ x
    same(dg, (dweight * v / lengths).sum(1, keepdims=True))
    same(dv, g / lengths * dweight - g * v * (dweight * v).sum(1, keepdims=True) / lengths**3)
    same(dbias, dy.sum(0))
    alone = TorchModule(nn("LinearWeightNorm", 4, 3, False), [(4,)])
    (v, _), (g, _) = alone.parameters()
    same(alone.forward(x[0]), x[0] @ (v * g / np.sqrt((v * v).sum(1, keepdims=True))).T)


def test_linear_weight_norm_draws_a_weight_and_a_bias() -> None:
    draws = Draws()
    made = create("nn.LinearWeightNorm", [16, 3], Session(draws))
    assert draws.asked == [("uniform", -0.25, 0.25)] * 2
    assert {"v", "g", "gradV", "gradG", "norm", "scale", "weight", "bias"} <= set(made.fields)
    call(made, "initFromWeight", Tensor.of(np.full((3, 16), 2.0)))
    assert made.fields["v"].array[2].tolist() == [2] * 16
    assert made.fields["g"].array.tolist() == [[8], [8], [8]]


def test_partial_linear() -> None:
    x, dy = inputs((2, 4), (2, 2))
    made = nn("PartialLinear", 4, 3)
    whole = TorchModule(made, [(2, 4)])
    (weight, _), (bias, _) = whole.parameters()
    assert (weight.shape, bias.tolist()) == ((3, 4), [[0, 0, 0]])
    same(whole.forward(x), x @ weight.T)
    call(made, "setPartition", Tensor.of(np.array([3, 1])))
    part = TorchModule(made, [(2, 4)])
    same(part.forward(x), x @ weight[[2, 0]].T)
    same(part.backward(dy)[0], dy @ weight[[2, 0]])
    same(part.parameters()[0][1][[2, 0, 1]], np.concatenate([dy.T @ x, np.zeros((1, 4))]))
    call(made, "resetPartition")
    assert TorchModule(made, [(2, 4)]).forward(x).shape == (2, 3)
    call(made, "setPartition", Tensor.of(np.array([4])))
    with pytest.raises(NetworkError, match="expected a partition of outputs 1 to 3"):
        TorchModule(made, [(2, 4)])


@pytest.mark.parametrize(
    ("made", "shapes", "message"),
    [
        (nn("Bilinear", 5, 4, 3), [(2, 5)], "expected a table of tensors, got a tensor of 2x5"),
        (nn("Bilinear", 5, 4, 3), [(2, 5), (3, 4)], "two batches of as many vectors, got 2x5 and"),
        (nn("Bilinear", 5, 4, 3), [(2, 4), (2, 5)], "vectors of 5 and of 4, got 2x4 and 2x5"),
        (nn("Bilinear", 5, 4, 3), [(2, 5)] * 3, "expected a table of 2 tensors, got 3"),
        (nn("LinearWeightNorm", 4, 3), [(2, 5)], "expected vectors of 4, got 2x5"),
        (nn("PartialLinear", 4, 3), [(4,)], "expected a batch of vectors of 4, got 4"),
    ],
)
def test_inputs_that_do_not_fit(
    made: TorchObject, shapes: list[tuple[int, ...]], message: str
) -> None:
    with pytest.raises(NetworkError, match=message):
        TorchModule(made, shapes)


@pytest.mark.parametrize(
    ("made", "field", "value", "message"),
    [
        (nn("Linear", 4, 3), "weight", Tensor.of(np.zeros(4)), "weight must have 2 axes, got 1"),
        (nn("LinearWeightNorm", 4, 3), "v", Tensor.of(np.zeros(4)), "v must have 2 axes, got 1"),
        (nn("PartialLinear", 4, 3), "network", nn("Identity"), "no table of weights inside"),
        (nn("PartialLinear", 4, 3), "partition", 3, "partition must be a tensor, got 3"),
    ],
)
def test_damaged_fields(made: TorchObject, field: str, value: object, message: str) -> None:
    made.fields[field] = value
    with pytest.raises(NetworkError, match=message):
        TorchModule(made, [(2, 4)])

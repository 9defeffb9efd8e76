"""Modules whose inputs are indices."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchModule
from protonet.torch7.modules.base import Session, create
from protonet.torch7.objects import Tensor, TorchObject
from tests.torch7.modules.computing import outputs, same
from tests.torch7.trees import Draws, call, nn

X = np.array([[3, 1], [3, 2]], np.float32)
DY = np.arange(8, dtype=np.float32).reshape(2, 2, 2)


def trained(made: TorchObject) -> np.ndarray:
    """The gradient of the weight."""
    model = TorchModule(made, [X.shape])
    model.forward(X)
    (dx,) = model.backward(DY)
    assert not dx.any()
    return model.parameters()[0][1]


def test_rows_by_indices_from_1() -> None:
    made = nn("LookupTable", 3, 2)
    table = made.fields["weight"].array
    same(outputs(made, X), table[[[2, 0], [2, 1]]])
    same(outputs(made, X[0]), table[[2, 0]])
    assert trained(made).tolist() == [[2, 3], [6, 7], [4, 6]]


def test_padding_and_frequency() -> None:
    assert trained(nn("LookupTable", 3, 2, 3)).tolist() == [[2, 3], [6, 7], [0, 0]]
    assert trained(call(nn("LookupTable", 3, 2), "setPadding", 1)).tolist()[0] == [0, 0]
    made = call(nn("LookupTable", 3, 2), "scaleGradByFreq")
    assert trained(made).tolist() == [[2, 3], [6, 7], [2, 3]]


@pytest.mark.parametrize(("p", "norm"), [(None, 5), (1, 7)])
def test_rows_of_bounded_norm(p: float | None, norm: float) -> None:
    made = nn("LookupTable", 3, 2, 0, 2, p)
    made.fields["weight"].array[...] = [[3, 4], [0, 1], [30, 40]]
    same(outputs(made, np.array([1, 2], np.float32)), np.array([[6 / norm, 8 / norm], [0, 1]]))
    other = call(call(nn("LookupTable", 3, 2), "setMaxNorm", 2), "setNormType", p)
    assert other.fields.get("normType") == p
    assert other.fields["maxNorm"] == 2


def test_rows_are_drawn_from_the_normal_distribution() -> None:
    draws = Draws()
    made = create("nn.LookupTable", [3, 2], Session(draws))
    call(made, "reset", 0.5)
    assert draws.asked == [("normal", 0, 1)]
    assert made.version == 4


def test_vectors_of_indices() -> None:
    y = outputs(nn("OneHot", 3), X)
    assert y.tolist() == [[[0, 0, 1], [1, 0, 0]], [[0, 0, 1], [0, 1, 0]]]
    assert outputs(nn("OneHot", 3), X[0]).tolist() == y[0].tolist()


def test_an_index_of_0_is_told_as_it_is() -> None:
    with pytest.raises(LayerError, match="index 0 in 'input' is not one of 1 to 3"):
        outputs(nn("LookupTable", 3, 2), np.array([0, 3], np.float32))


def test_a_damaged_table_is_refused() -> None:
    made = nn("LookupTable", 3, 2)
    made.fields["weight"] = Tensor.of(np.zeros(4))
    with pytest.raises(NetworkError, match="weight must have 2 axes, got 1"):
        TorchModule(made, [(2, 3)])


def test_other_inputs_are_refused() -> None:
    with pytest.raises(NetworkError, match="a vector or matrix of indices, got 2x3x4"):
        TorchModule(nn("LookupTable", 3, 2), [(2, 3, 4)])


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("LookupTable", (3,), "nOutput must be a number, got nil"),
        ("LookupTable", (3, 2, 1.5), "paddingValue must be a whole number, got 1.5"),
        ("LookupTable", (3, 2, 0, "x"), "maxNorm must be a number, got x"),
        ("OneHot", (0,), "outputSize must be 1 or more, got 0"),
    ],
)
def test_arguments_that_are_refused(name: str, arguments: tuple[object], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        nn(name, *arguments)

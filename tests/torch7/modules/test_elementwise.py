"""Tensors of a table, element by element."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import NetworkError
from protonet.torch7.api import TorchModule
from tests.torch7.modules.computing import inputs, outputs, same, slopes
from tests.torch7.trees import nn, sequential


def test_combinations() -> None:
    a, b, c = inputs((2, 3), (2, 3), (2, 3))
    b, c = b + 9, c * 3
    same(outputs(nn("CAddTable"), a, b, c), a + b + c)
    same(outputs(nn("CSubTable"), a, b), a - b)
    same(outputs(nn("CMulTable"), a, b, c), a * b * c)
    same(outputs(nn("CDivTable"), a, b), a / b)
    same(outputs(nn("CMaxTable"), a, b / 7, c), np.maximum(np.maximum(a, b / 7), c))
    same(outputs(nn("CMinTable"), a, b / 7, c), np.minimum(np.minimum(a, b / 7), c))


def test_gradients_of_a_quotient() -> None:
    a, b = inputs((2, 3), (2, 3))
    b += 9
    dy = np.arange(1.0, 7).reshape(2, 3)
    da, db = slopes(nn("CDivTable"), a, b)
    same(da, dy / b)
    same(db, -dy * a / b**2)


@pytest.mark.parametrize("name", ["CMaxTable", "CMinTable"])
@pytest.mark.parametrize("count", [2, 4])
def test_the_first_of_equal_elements_gets_the_gradient(name: str, count: int) -> None:
    gradients = slopes(nn(name), *[np.ones((1, 3), np.float32)] * count)
    assert [dx.tolist() for dx in gradients] == [[[1, 2, 3]], *[[[0, 0, 0]]] * (count - 1)]


def test_one_tensor_stays() -> None:
    a, b = inputs((2, 3), (2, 3))
    made = sequential(nn("NarrowTable", 2), nn("CAddTable"))
    same(outputs(made, a, b), b)
    assert TorchModule(made, [(2, 3)] * 2).translated.definition.net.layer == []


def test_shapes_of_as_many_elements() -> None:
    a, b = inputs((2, 1, 3), (2, 3))
    same(outputs(nn("CAddTable", True), a, b), a + b.reshape(a.shape))
    with pytest.raises(NetworkError, match="expected tensors of the same size, got 2x1x3 and 2x4"):
        TorchModule(nn("CMulTable"), [(2, 1, 3), (2, 4)])
    with pytest.raises(NetworkError, match="expected a table of at least 2, got 1"):
        TorchModule(sequential(nn("NarrowTable", 1), nn("CSubTable")), [(2, 3)] * 2)

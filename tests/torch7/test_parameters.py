"""All parameters in one vector."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import FormatError
from protonet.torch7.objects import Storage, Tensor
from protonet.torch7.parameters import flatten, parameters_of, put_flat
from tests.torch7.trees import nn, sequential


def test_storages_follow_each_other_and_shared_elements_come_once() -> None:
    one, two = Tensor.of(np.arange(6.0).reshape(2, 3)), Tensor.of(np.array([7.0, 8]))
    column = Tensor("Float", one.storage, 1, (2,), (3,))
    flat = flatten([two, one, column, Tensor("Float")])
    assert flat.array.tolist() == [7, 8, 0, 1, 2, 3, 4, 5]
    assert (one.offset, one.strides, column.offset, column.strides) == (2, (3, 1), 3, (3,))
    flat.array[3] = 9
    assert column.array.tolist() == [9, 4]
    assert one.array[0].tolist() == [0, 9, 2]


def test_elements_that_no_tensor_shows_are_left_out() -> None:
    storage = Storage("Double", 10, np.arange(10.0))
    rows = Tensor("Double", storage, 1, (2, 3), (5, 1))  # 1 2 3, 6 7 8
    flat = flatten([rows])
    assert flat.kind == "Double"
    assert flat.array.tolist() == [1, 2, 3, 6, 7, 8]
    assert (rows.offset, rows.strides) == (0, (3, 1))
    assert rows.array.tolist() == [[1, 2, 3], [6, 7, 8]]


def test_transposed_tensors_keep_their_order_in_memory() -> None:
    storage = Storage("Float", 8, np.arange(8.0, dtype=np.float32))
    turned = Tensor("Float", storage, 1, (2, 3), (1, 2))  # 1 3 5, 2 4 6
    other = Tensor.of(np.array([9.0]))
    flat = flatten([other, turned])
    assert flat.array.tolist() == [9, 1, 2, 3, 4, 5, 6]
    assert (turned.offset, turned.strides) == (1, (1, 2))
    assert turned.array.tolist() == [[1, 3, 5], [2, 4, 6]]


def test_no_parameters() -> None:
    assert flatten([]).count == 0
    assert parameters_of(nn("MulConstant", 2)) == ([], [])


def test_a_vector_becomes_the_parameters_of_a_model() -> None:
    first, second = nn("Linear", 2, 3), nn("Linear", 3, 1)
    model = sequential(first, second)
    put_flat(model, np.arange(13.0), "w.t7")
    assert first.fields["weight"].array.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert first.fields["bias"].array.tolist() == [6, 7, 8]
    assert second.fields["weight"].array.tolist() == [[9, 10, 11]]
    assert second.fields["bias"].array.tolist() == [12]
    with pytest.raises(FormatError, match=r"w\.t7: has 12 weights, but .* the net are 13"):
        put_flat(model, np.arange(12.0), "w.t7")

"""Torch7's values: what shares memory, and what is allocated late."""

from __future__ import annotations

import numpy as np

from protonet.torch7.objects import (
    Function,
    Storage,
    Table,
    Tensor,
    TorchObject,
    contiguous_strides,
)


def test_tensors_view_their_storage() -> None:
    storage = Storage("Float", 12, np.arange(12, dtype=np.float32))
    column = Tensor("Float", storage, 1, (3,), (4,))
    assert column.array.tolist() == [1, 5, 9]
    column.array[:] = 0
    assert storage.data.tolist() == [0, 0, 2, 3, 4, 0, 6, 7, 8, 0, 10, 11]


def test_a_storage_draws_what_is_pending_when_it_is_read() -> None:
    drawn: list[int] = []
    storage = Storage("Float", 2, settle=lambda: drawn.append(1))
    assert storage.allocated().tolist() == [0, 0]
    assert not drawn
    assert storage.data.tolist() == [0, 0]
    assert drawn


def test_tensors_that_share_all_elements_have_one_place() -> None:
    one = Tensor.of(np.zeros((2, 3)))
    other = Tensor("Float", one.storage, 0, (2, 3), (3, 1))
    assert one.place == other.place
    assert one.place != Tensor.of(np.zeros((2, 3))).place


def test_a_tensor_without_elements_has_no_axes() -> None:
    assert Tensor("Long").count == 0
    assert Tensor("Long").array.shape == (0,)


def test_strides() -> None:
    assert contiguous_strides((2, 3, 4)) == (12, 4, 1)
    assert contiguous_strides(()) == ()


def test_the_sequence_of_a_table_ends_at_the_first_hole() -> None:
    assert Table({1: "a", 2: "b", 4: "d", "n": 4}).sequence == ["a", "b"]
    assert Table.of("xy") == {1: "x", 2: "y"}


def test_messages_name_values_in_words() -> None:
    values = [
        Tensor.of(np.zeros((2, 3))),
        Tensor("Long"),
        Storage("Long", 4),
        Table.of([1, 2]),
        TorchObject("nn.Linear", Table({"weight": Tensor("Float")})),
        Function(),
    ]
    assert [str(value) for value in values] == [
        "a torch.FloatTensor of 2x3",
        "a torch.LongTensor of no elements",
        "a torch.LongStorage of 4",
        "a table of 2",
        "an object of nn.Linear",
        "a function",
    ]

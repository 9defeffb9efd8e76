"""Calls of operations, and their refusals."""

from __future__ import annotations

import pytest

from protonet.errors import LayerError
from protonet.torch7.objects import Function, Storage, Table, Tensor
from protonet.torch7.tensors import FUNCTIONS, METHODS
from protonet.torch7.tensors.base import describe, sizes_of
from tests.torch7.tensors.calls import counted, f, m, table


def test_nil_at_the_end_is_no_argument() -> None:
    assert m(counted(2, 3), "size", None).data.tolist() == [2, 3]


def test_wrong_numbers_of_arguments_are_told_with_their_names() -> None:
    with pytest.raises(LayerError, match=r"narrow takes \(tensor, dim, index, size\), got 2"):
        m(counted(2, 3), "narrow", 1)


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("zeros", (-1, 2), "zeros: a tensor cannot have the size -1x2"),
        ("zeros", (2**30, 2**30), "is too large"),
        ("zeros", (2.5,), "a size must be a whole number, got 2.5"),
        ("ones", (True,), "a size must be a whole number, got true"),
        ("abs", (), "the first argument must be a tensor, got nothing"),
        ("abs", ("x",), "the first argument must be a tensor, got 'x'"),
    ],
)
def test_wrong_arguments_are_told(name: str, arguments: tuple[object, ...], told: str) -> None:
    with pytest.raises(LayerError, match=told):
        f(name, *arguments)


def test_sizes_come_as_numbers_storage_tensor_or_table() -> None:
    sizes = m(counted(4, 3, 2), "size")
    assert sizes_of([sizes]) == sizes_of([table(4, 3, 2)]) == sizes_of([4, 3.0, 2]) == [4, 3, 2]
    assert sizes_of([Tensor.of([4, 3], "Long")]) == [4, 3]


def test_values_are_described() -> None:
    values = [None, counted(2, 3), Storage("Long", 4), Table(), "net", 2.5, True, len, Function()]
    assert [describe(each) for each in values] == [
        "nil",
        "a tensor of size 2x3",
        "a LongStorage of 4",
        "a table",
        "'net'",
        "2.5",
        "true",
        "a function",
        "a value",
    ]


def test_methods_are_functions_too() -> None:
    assert (
        {"add", "eq", "sum", "view"}
        <= set(METHODS)
        <= set(FUNCTIONS)
        | {
            "new",
            "set",
            "resize",
            "resizeAs",
        }
    )

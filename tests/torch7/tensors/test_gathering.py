"""Elements by their places."""

from __future__ import annotations

import pytest

from protonet.errors import LayerError
from protonet.torch7.objects import Tensor
from tests.torch7.tensors.calls import counted, f, m


def longs(*rows: list[int]) -> Tensor:
    return Tensor.of(rows, "Long")


def test_along_an_axis() -> None:
    a = counted(2, 3)
    assert m(a, "gather", 2, longs([3, 1], [2, 2])).array.tolist() == [[3, 1], [5, 5]]
    assert m(a, "scatter", 2, longs([3], [1]), 0).array.tolist() == [[1, 2, 0], [0, 5, 6]]
    source = counted(2, 1)
    assert m(a, "scatter", 2, longs([1], [2]), source).array.tolist() == [[1, 2, 0], [0, 2, 6]]
    values, places = f("topk", counted(2, 3), 2, 2, True)
    assert (values.array.tolist(), places.array.tolist()) == ([[3, 2], [6, 5]], [[3, 2], [3, 2]])
    values, places = f("topk", counted(4), 1)
    assert (values.array.tolist(), places.array.tolist()) == ([1], [1])
    assert f("median", counted(4)) == 2
    values, places = f("median", counted(2, 3), 2)
    assert (values.array.tolist(), places.array.tolist()) == ([[2], [5]], [[2], [2]])


def test_matrices() -> None:
    a = counted(2, 3)
    assert f("diag", a).array.tolist() == [1, 5]
    assert f("diag", counted(2)).array.tolist() == [[1, 0], [0, 2]]
    assert f("trace", a) == 6
    assert f("tril", a).array.tolist() == [[1, 0, 0], [4, 5, 0]]
    assert f("triu", a, 1).array.tolist() == [[0, 2, 3], [0, 0, 6]]


def test_windows_are_a_view() -> None:
    a = counted(5)
    windows = m(a, "unfold", 1, 3, 2)
    assert windows.array.tolist() == [[1, 2, 3], [3, 4, 5]]
    assert windows.storage is a.storage


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("gather", (2, longs([4], [1])), "indices 1 to 4 of dimension 2 of a tensor of size 2x3"),
        ("gather", (2, Tensor.of([1], "Long")), "an index of 1 for 2x3"),
        ("topk", (4,), "4 of 3 elements"),
        ("unfold", (1, 3, 1), "windows of 3 in steps of 1 of 2"),
        ("scatter", (2, longs([1], [2]), counted(3)), "3 to 2x1 places"),
    ],
)
def test_what_does_not_fit_is_told(name: str, arguments: tuple[object, ...], told: str) -> None:
    with pytest.raises(LayerError, match=told):
        m(counted(2, 3), name, *arguments)

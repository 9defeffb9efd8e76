"""Products of vectors and matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.torch7.tensors.products import product
from tests.torch7.tensors.calls import counted, f, m

A = np.arange(1.0, 7).reshape(2, 3)


def test_functions_and_methods() -> None:
    a = counted(2, 3)
    assert f("mm", a, m(a, "t")).array.tolist() == (A @ A.T).tolist()
    assert m(f("zeros", 1), "mm", a, m(a, "t")).array.tolist() == (A @ A.T).tolist()
    into = f("zeros", 1)
    assert f("mm", into, a, m(a, "t")) is into
    assert f("mv", a, counted(3)).array.tolist() == [14, 32]
    assert f("ger", counted(2), counted(3)).array.tolist() == [[1, 2, 3], [2, 4, 6]]
    assert f("bmm", counted(2, 1, 3), counted(2, 3, 1)).array.tolist() == [[[14]], [[77]]]
    assert f("dot", a, a) == 91
    assert product(counted(3), counted(3)) == 14


def test_products_that_are_added() -> None:
    a = counted(2, 3)
    ones = f("ones", 2, 2)
    assert m(ones, "addmm", a, m(a, "t")) is ones
    assert ones.array.tolist() == (1 + A @ A.T).tolist()
    assert f("addmm", ones, a, m(a, "t")).array.tolist() == (1 + 2 * A @ A.T).tolist()
    assert ones.array.tolist() == (1 + A @ A.T).tolist()
    assert m(counted(2), "addmv", 0, 2, a, counted(3)).array.tolist() == [28, 64]
    into = m(f("zeros", 2), "addmv", 3, counted(2), 2, a, counted(3))
    assert into.array.tolist() == [31, 70]
    assert m(f("ones", 2, 3), "addr", counted(2), counted(3)).array.tolist() == [
        [2, 3, 4],
        [3, 5, 7],
    ]
    summed = m(f("zeros", 1, 1), "addbmm", counted(2, 1, 3), counted(2, 3, 1))
    assert summed.array.tolist() == [[91]]


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("mm", (counted(2, 3), counted(2, 3)), "size 2x3 and a tensor of size 2x3"),
        ("mv", (counted(2, 3), counted(2)), "size 2x3 and a tensor of size 2"),
        ("bmm", (counted(1, 2, 3), counted(2, 3, 2)), "size 1x2x3"),
        ("dot", (counted(2), counted(3)), "sizes 2 and 3"),
        ("addmm", (counted(2, 2),), "takes two tensors"),
        ("addmm", (counted(2, 3), counted(2, 3), counted(3, 2)), "2x2 to 2x3"),
    ],
)
def test_what_does_not_fit_is_told(name: str, arguments: tuple[Any, ...], told: str) -> None:
    with pytest.raises(LayerError, match=told):
        f(name, *arguments)

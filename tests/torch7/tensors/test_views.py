"""Sizes and views."""

from __future__ import annotations

import pytest

from protonet.errors import LayerError
from tests.torch7.tensors.calls import counted, m


def test_sizes() -> None:
    a = counted(2, 3, 4)
    assert m(a, "size").data.tolist() == [2, 3, 4]
    assert m(a, "stride").data.tolist() == [12, 4, 1]
    assert [m(a, "size", 2), m(a, "stride", 2), m(a, "dim"), m(a, "nElement")] == [3, 4, 3, 24]
    assert m(m(a, "select", 1, 2), "storageOffset") == 13
    with pytest.raises(LayerError, match="size: dimension 4 of a tensor of size 2x3x4"):
        m(a, "size", 4)


def test_views_share_their_elements() -> None:
    a = counted(2, 3, 4)
    for view in (
        m(a, "view", -1, 8),
        m(a, "select", 3, -1),
        m(a, "narrow", 2, 2, 2),
        m(a, "transpose", 1, 3),
        m(a, "permute", 3, 1, 2),
        m(a, "sub", 1, 2, -2, -1),
        m(a, "unsqueeze", 2),
        m(m(a, "unsqueeze", 2), "expand", 2, 5, 3, 4),
        m(a, "split", 2, 3)[1],
        m(a, "chunk", 2, 2)[1],
    ):
        assert view.storage is a.storage


def test_values_of_views() -> None:
    a = counted(2, 3)
    assert m(a, "view", 3, -1).array.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert m(a, "t").array.tolist() == [[1, 4], [2, 5], [3, 6]]
    assert m(a, "narrow", 2, 2, 2).array.tolist() == [[2, 3], [5, 6]]
    assert m(a, "select", 2, 3).array.tolist() == [3, 6]
    assert m(m(a, "select", 1, 2), "select", 1, 1) == 4
    assert m(a, "sub", 1, 1, -2, -1).array.tolist() == [[2, 3]]
    assert m(counted(1, 2, 1), "squeeze").array.tolist() == [1, 2]
    assert m(counted(1, 1), "squeeze") == 1
    assert m(counted(1, 2), "expand", 2, 2).array.tolist() == [[1, 2], [1, 2]]
    assert m(counted(2), "repeatTensor", 2, 1).array.tolist() == [[1, 2], [1, 2]]
    assert [m(each, "size", 1) for each in m(counted(5), "split", 2).sequence] == [2, 2, 1]
    assert m(m(a, "t"), "contiguous").strides == (2, 1)
    assert m(m(a, "t"), "reshape", 6).array.tolist() == [1, 4, 2, 5, 3, 6]


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("view", (5,), "view: a tensor of size 2x3 as 5"),
        ("view", (-1, -1), "as -1x-1"),
        ("narrow", (1, 2, 2), "narrow: 2 to 3 of dimension 1 of a tensor of size 2x3"),
        ("narrow", (1, 0, 1), "0 to 0 of dimension 1"),
        ("select", (2, 4), "select: 4 of dimension 2 of a tensor of size 2x3"),
        ("expand", (2, 4), "expand: a tensor of size 2x3 to 2x4"),
        ("permute", (1, 1), "each of the 2 dimensions once"),
        ("split", (0,), "parts of 0"),
    ],
)
def test_views_that_do_not_fit(name: str, arguments: tuple[object, ...], told: str) -> None:
    with pytest.raises(LayerError, match=told):
        m(counted(2, 3), name, *arguments)


def test_a_transposed_tensor_has_no_other_view() -> None:
    with pytest.raises(LayerError, match="call :contiguous"):
        m(m(counted(2, 3), "t"), "view", 6)

"""Elements and parts, read and assigned."""

from __future__ import annotations

import pytest

from protonet.errors import LayerError
from protonet.torch7.objects import Storage
from protonet.torch7.tensors.indexing import get_element, set_element
from tests.torch7.tensors.calls import counted, f, get, m, put, table


def test_elements_and_rows() -> None:
    a = counted(2, 3)
    assert get(a, 2).array.tolist() == [4, 5, 6]
    assert get(get(a, 2), -1) == 6
    assert get(a, table(2, 3)) == 6
    assert get(a, table(2, [2, 3])).array.tolist() == [5, 6]
    assert get(a, table([], 2)).array.tolist() == [2, 5]
    assert get(a, table([1, -1], [3])).array.tolist() == [[3], [6]]
    put(a, 1, 7)
    put(a, table(2, [2, 3]), counted(2))
    put(a, table(2, 1), -1)
    assert a.array.tolist() == [[7, 7, 7], [-1, 1, 2]]
    v = counted(3)
    put(v, 2, 9)
    put(v, -1, 8)
    assert v.array.tolist() == [1, 9, 8]


def test_masks() -> None:
    labels = m(counted(4), "copy", f("cat", f("zeros", 2), f("ones", 2)))
    assert get(labels, f("eq", labels, 1)).array.tolist() == [1, 1]
    put(labels, f("eq", labels, 0), -1)
    assert labels.array.tolist() == [-1, -1, 1, 1]
    put(labels, f("gt", labels, 0), counted(2))
    assert labels.array.tolist() == [-1, -1, 1, 2]


def test_places_of_an_axis() -> None:
    a = counted(2, 3)
    chosen = m(f("range", 1, 3, 2), "long")
    assert m(a, "index", 2, chosen).array.tolist() == [[1, 3], [4, 6]]
    m(a, "indexFill", 2, chosen, 0)
    assert a.array.tolist() == [[0, 2, 0], [0, 5, 0]]
    m(a, "indexCopy", 2, chosen, counted(2, 2))
    assert a.array.tolist() == [[1, 2, 2], [3, 5, 4]]


@pytest.mark.parametrize(
    ("key", "told"),
    [
        (3, "3 of dimension 1 of a tensor of size 2x3"),
        (0, "0 of dimension 1"),
        (1.5, "index must be a whole number, got 1.5"),
        ("bias", "got 'bias'"),
        (table(1, 2, 3), "3 indices for a tensor of size 2x3"),
        (table([1, 4]), "1 to 4 of dimension 1"),
        (counted(2, 3), "expected a mask"),
    ],
)
def test_wrong_indices_are_told(key: object, told: str) -> None:
    with pytest.raises(LayerError, match=told):
        get(counted(2, 3), key)


def test_a_mask_of_another_size_is_told() -> None:
    with pytest.raises(LayerError, match="a mask of 2 for a tensor of 2x3"):
        put(counted(2, 3), f("eq", counted(2), 1), 0)


def test_elements_of_storages() -> None:
    storage = Storage("Long", 2)
    set_element(storage, 2, 7)
    assert get_element(storage, 2) == 7
    with pytest.raises(LayerError, match="index 3 of a LongStorage of 2"):
        get_element(storage, 3)

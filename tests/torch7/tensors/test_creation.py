"""New tensors."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.torch7.objects import Storage, Tensor
from protonet.torch7.tensors.creation import kind_of, new_storage, new_tensor
from tests.torch7.tensors.calls import counted, f, m, table


def test_tensors_of_sizes_tables_storages_and_tensors() -> None:
    assert new_tensor("Float", 2, 3).shape == (2, 3)
    assert new_tensor("Float").shape == ()
    assert new_tensor("Int", table([1, 2, 3], [4, 5, 6.7])).array.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert new_tensor("Float", m(counted(4, 2), "size")).shape == (4, 2)
    whole = counted(2, 3)
    assert new_tensor("Float", whole).place == whole.place
    assert whole.storage is not None
    part = new_tensor("Float", whole.storage, 2, table(2, 2), table(3, 1))
    assert part.array.tolist() == [[2, 3], [5, 6]]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((table([1, 2], [3]),), "rows of the same length"),
        ((table("x"),), "an element must be a number, got 'x'"),
        ((Storage("Double", 4),), "cannot view a DoubleStorage"),
        ((Tensor.of(np.zeros(2), "Double"),), "cannot view a DoubleTensor"),
        ((Storage("Float", 4), 2, table(2, 2)), "2x2 is more than the storage of 4 has"),
    ],
)
def test_wrong_contents_are_told(arguments: tuple[object, ...], told: str) -> None:
    with pytest.raises(LayerError, match=told):
        new_tensor("Float", *arguments)


def test_storages() -> None:
    assert new_storage("Long", table(3, 4)).data.tolist() == [3, 4]
    assert new_storage("Float", 2).data.tolist() == [0, 0]


def test_filled_tensors() -> None:
    assert f("ones", 2, 3).array.tolist() == [[1] * 3] * 2
    assert f("range", 1, 2, 0.5).array.tolist() == [1, 1.5, 2]
    assert f("range", 3, 1, -1).array.tolist() == [3, 2, 1]
    assert f("linspace", 0, 1, 5).array.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert f("eye", 2, 3).array.tolist() == [[1, 0, 0], [0, 1, 0]]
    with pytest.raises(LayerError, match="from 1 to 2 in steps of -1"):
        f("range", 1, 2, -1)


def test_tensors_joined() -> None:
    a, b = counted(2, 3), counted(2, 1)
    assert f("cat", a, b, 2).array.tolist() == [[1, 2, 3, 1], [4, 5, 6, 2]]
    assert f("cat", table(a, a), 1).shape == (4, 3)
    with pytest.raises(LayerError, match="sizes 2x3, 2x1 along dimension 1"):
        f("cat", a, b, 1)


def test_conversions_copy_and_the_same_type_does_not() -> None:
    a = m(counted(3), "mul", -1.5)
    assert m(a, "float") is a
    assert m(a, "int").array.tolist() == [-1, -3, -4]
    assert m(a, "byte").array.tolist() == [255, 253, 252]
    assert m(a, "type", "torch.DoubleTensor").kind == "Double"
    assert m(a, "type") == "torch.FloatTensor"
    assert m(a, "cuda").kind == "Cuda"
    assert m(a, "typeAs", m(a, "double")).kind == "Double"
    with pytest.raises(LayerError, match="no tensor type 'torch\\.FlotTensor'"):
        kind_of("torch.FlotTensor")


def test_copies_have_their_own_elements() -> None:
    a = counted(2, 3)
    b = m(a, "clone")
    m(b, "fill", 0)
    assert m(a, "totable") == table([1, 2, 3], [4, 5, 6])
    assert m(b, "copy", counted(6)).array.tolist() == a.array.tolist()
    with pytest.raises(LayerError, match="copy: 5 into 2x3"):
        m(b, "copy", counted(5))


def test_sizes_change() -> None:
    a = counted(2, 3)
    assert m(a, "resize", 4).array.tolist() == [1, 2, 3, 4]
    assert m(a, "resizeAs", counted(2, 4)).shape == (2, 4)
    assert a.array[0].tolist() == [1, 2, 3, 4]
    b = m(Tensor("Float"), "set", a)
    m(b, "fill", 7)
    assert a.array[0, 0] == 7
    with pytest.raises(LayerError, match="a IntTensor cannot view a FloatTensor"):
        m(Tensor("Int"), "set", a)

"""Modules on tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchModule
from tests.torch7.modules.computing import inputs, nested, outputs, same, slopes
from tests.torch7.modules.test_containers import filled
from tests.torch7.trees import nn, sequential


def test_join_counts_dimensions_of_items() -> None:
    a, b = inputs((2, 3, 4), (2, 3, 4))
    for made, axis in [
        (nn("JoinTable", 2), 1),
        (nn("JoinTable", 2, 2), 2),
        (nn("JoinTable", 2, 3), 1),
        (nn("JoinTable", -1), 2),
    ]:
        same(outputs(made, a, b), np.concatenate([a, b], axis=axis))


def test_split_counts_dimensions_of_items() -> None:
    (x,) = inputs((2, 3, 4))
    for made, axis in [
        (nn("SplitTable", 2), 1),
        (nn("SplitTable", 2, 2), 2),
        (nn("SplitTable", -3), 0),
    ]:
        expected = [np.take(x, i, axis).tolist() for i in range(x.shape[axis])]
        assert nested(outputs(made, x)) == expected


def test_values_of_tables() -> None:
    a, b, c = inputs((2, 3), (2, 4), (2, 5))
    assert nested(outputs(nn("SelectTable", 2), a, b, c)) == b.tolist()
    assert nested(outputs(nn("SelectTable", -3), a, b, c)) == a.tolist()
    assert nested(outputs(nn("NarrowTable", 2, 2), a, b, c)) == [b.tolist(), c.tolist()]
    assert nested(outputs(nn("NarrowTable", 3), a, b, c)) == [c.tolist()]
    assert nested(outputs(nn("ReverseTable"), a, b, c)) == nested([c, b, a])


def test_values_that_are_not_selected_have_no_gradient() -> None:
    a, b = inputs((2, 3), (2, 4))
    da, db = slopes(nn("SelectTable", 1), a, b)
    assert da.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert db.tolist() == np.zeros((2, 4)).tolist()


def test_tables_of_tables() -> None:
    (x,) = inputs((1, 2))
    twice = filled("ConcatTable", nn("Identity"), nn("MulConstant", 2))
    square = filled("ConcatTable", twice, twice)
    one, two = x.tolist(), (2 * x).tolist()
    assert nested(outputs(sequential(square, nn("ZipTable")), x)) == [[one, one], [two, two]]
    assert nested(outputs(sequential(square, nn("FlattenTable")), x)) == [one, two, one, two]
    many = sequential(filled("ConcatTable", nn("Identity"), twice), nn("ZipTableOneToMany"))
    assert nested(outputs(many, x)) == [[one, one], [one, two]]
    added = sequential(filled("ConcatTable", nn("Identity"), twice), nn("CAddTensorTable"))
    assert nested(outputs(added, x)) == [two, (3 * x).tolist()]


@pytest.mark.parametrize("items", [(3,), ()])
def test_a_mixture_of_a_table(items: tuple[int, ...]) -> None:
    gate, a, b = inputs((*items, 2), (*items, 4, 5), (*items, 4, 5))
    first = filled("ConcatTable", nn("SelectTable", 1), nn("NarrowTable", 2, 2))
    made = sequential(first, nn("MixtureTable"))
    g = gate.reshape(*items, 2, 1, 1)
    same(outputs(made, gate, a, b), g[..., 0, :, :] * a + g[..., 1, :, :] * b)
    dy = np.arange(1.0, a.size + 1).reshape(a.shape)
    dg, da, _ = slopes(made, gate, a, b)
    same(da, g[..., 0, :, :] * dy)
    same(dg[..., 1], (dy * b).sum(axis=(-1, -2)))


@pytest.mark.parametrize(("arguments", "axis"), [((), 1), ((3,), 2), ((4,), 3)])
def test_a_mixture_of_one_tensor(arguments: tuple[int, ...], axis: int) -> None:
    shape = [3, 4, 5, 6]
    gate, experts = inputs((3, shape[axis]), (3, 4, 5, 6))
    spread = [3 if place == 0 else shape[axis] if place == axis else 1 for place in range(4)]
    same(
        outputs(nn("MixtureTable", *arguments), gate, experts),
        (gate.reshape(spread) * experts).sum(axis=axis),
    )


def test_a_mixture_of_one_item() -> None:
    gate, experts = inputs((4,), (4, 5))
    same(outputs(nn("MixtureTable"), gate, experts), gate @ experts)


def test_matrices() -> None:
    a, b = inputs((2, 3, 4), (2, 4, 5))
    same(outputs(nn("MM"), a, b), a @ b)
    same(outputs(nn("MM", True, True), a.swapaxes(1, 2), b.swapaxes(1, 2)), a @ b)
    same(outputs(nn("MM"), a[0], b[0]), a[0] @ b[0])
    same(outputs(nn("MV"), a, b[:, :, 0]), (a @ b)[:, :, 0])
    same(outputs(nn("MV", True), a[0], b[0, :3, 0]), a[0].T @ b[0, :3, 0])


@pytest.mark.parametrize(
    ("made", "shapes", "message"),
    [
        (nn("JoinTable", 1), [(2, 3)], "expected a table of tensors, got a tensor of 2x3"),
        (nn("JoinTable", 1), [(2, 3), (2, 4)], "cannot join 2x3 and 2x4 along dimension 1"),
        (nn("SplitTable", 3), [(2, 3)], "an input of 2 dimensions .2x3. has no dimension 3"),
        (nn("SelectTable", 3), [(2,)] * 2, "index 3 does not exist in a table of 2"),
        (nn("NarrowTable", 2, 2), [(2,)] * 2, "a table of 2 has no values 2 to 3"),
        (nn("ZipTableOneToMany"), [(2,)] * 3, "expected a table of 2, got 3"),
        (nn("MM"), [(2, 3), (2, 3, 4)], "expected two matrices, or two batches of them"),
        (nn("MM"), [(2, 3), (2, 3)], "expected matrices with 3 rows"),
        (nn("MV"), [(2, 3), (2, 3)], "expected a matrix and a vector"),
        (nn("MixtureTable"), [(2, 3), (2, 4, 5)], "expected a gate for each expert"),
        (nn("MixtureTable"), [(2, 3, 4), (2, 4, 5)], "expected gates of 1 or 2 dimensions"),
    ],
)
def test_tables_that_do_not_fit(made: Any, shapes: list[tuple[int, ...]], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        TorchModule(made, shapes)


def test_more_tables_that_do_not_fit() -> None:
    a = inputs((2, 3))[0]
    experts = filled("ConcatTable", nn("Identity"), nn("Sum", 2))
    uneven = filled("ConcatTable", experts, filled("ConcatTable", nn("Identity")))
    with pytest.raises(NetworkError, match="expected experts of one shape"):
        outputs(sequential(filled("ConcatTable", nn("Identity"), experts), nn("MixtureTable")), a)
    with pytest.raises(NetworkError, match=r"expected tables of one length, got \[2, 1\]"):
        outputs(sequential(uneven, nn("ZipTable")), a)
    with pytest.raises(NetworkError, match="expected a tensor, got a table of 2"):
        outputs(sequential(uneven, nn("JoinTable", 1)), a)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("JoinTable", (), "nn.JoinTable: argument 1, dimension, is nil"),
        ("SplitTable", ("x",), "dimension must be a number, got x"),
        ("NarrowTable", (None, 2), "nn.NarrowTable: argument 1, offset, is nil"),
        ("MV", (3,), "trans must be true or false, got 3"),
    ],
)
def test_arguments_that_are_refused(name: str, arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        nn(name, *arguments)

"""Other views of the same elements."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchModule
from protonet.torch7.modules.shapes import longs
from protonet.torch7.objects import Table, TorchObject
from tests.torch7.modules.computing import inputs, outputs, same, slopes
from tests.torch7.trees import call, nn


def items(made: TorchObject, axes: int) -> TorchObject:
    found: TorchObject = call(made, "setNumInputDims", axes)
    return found


def test_view_keeps_the_batch_axis_of_longer_inputs() -> None:
    view = items(nn("View", 5, -1), 2)
    x = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    assert TorchModule(view, [(3, 4, 5)]).forward(x).tolist() == x.reshape(3, 5, 4).tolist()
    assert TorchModule(view, [(4, 5)]).forward(x[0]).tolist() == x[0].reshape(5, 4).tolist()


@pytest.mark.parametrize(
    ("made", "shape"),
    [
        (nn("View", 60), (2, 60)),
        (nn("View", 4, 15), (2, 4, 15)),
        (nn("View", longs([4, -1])), (4, 30)),
        (nn("View", 20), (6, 20)),
        (nn("View", 2, 3, 4, 5), (2, 3, 4, 5)),
        (items(nn("View", 20), 2), (6, 20)),
        (items(nn("View", 2, -1), 2), (6, 2, 10)),
        (items(nn("View", 120), 4), (120,)),
        (call(nn("View", 7), "resetSize", 6, -1), (6, 20)),
        (nn("Reshape", 60), (2, 60)),
        (nn("Reshape", 6, 20), (6, 20)),
        (nn("Reshape", 6, 20, False), (6, 20)),
        (nn("Reshape", longs([5, 12]), True), (2, 5, 12)),
        (nn("InferReshape", 2, 0, -1), (2, 3, 20)),
        (nn("InferReshape", 0, -1, True), (2, 3, 20)),
        (nn("Collapse", 3), (2, 60)),
        (nn("Collapse", 4), (120,)),
    ],
)
def test_views(made: TorchObject, shape: tuple[int, ...]) -> None:
    (x,) = inputs((2, 3, 4, 5))
    same(outputs(made, x), x.reshape(shape))
    dy = np.arange(1.0, 121)
    same(slopes(made, x)[0], dy.reshape(x.shape))


def test_a_single_item_is_a_batch_to_reshape() -> None:
    (x,) = inputs((1, 3, 4))
    same(outputs(nn("Reshape", 12), x), x.reshape(1, 12))
    same(outputs(nn("View", 12), x), x.reshape(12))
    same(outputs(items(nn("View", 12), 2), x), x.reshape(1, 12))


def test_axes_that_change_places() -> None:
    (x,) = inputs((2, 3, 4, 5))
    pairs = Table.of([1, 2]), Table.of([2, 3])
    same(outputs(nn("Transpose", *pairs), x), x.transpose(1, 2, 0, 3))
    same(outputs(items(nn("Transpose", *pairs), 3), x), x.transpose(0, 2, 3, 1))


@pytest.mark.parametrize(
    ("made", "given", "shape"),
    [
        (nn("Squeeze"), (2, 1, 4, 1), (2, 4)),
        (nn("Squeeze", 2), (2, 1, 4, 1), (2, 4, 1)),
        (nn("Squeeze", 1), (2, 1, 4), (2, 1, 4)),
        (nn("Squeeze", None, 2), (1, 1, 4), (1, 4)),
        (nn("Squeeze", 1, 2), (1, 1, 4), (1, 4)),
        (nn("Squeeze"), (1, 1), (1,)),
        (nn("Unsqueeze", 1), (2, 3), (1, 2, 3)),
        (nn("Unsqueeze", 3), (2, 3), (2, 3, 1)),
        (nn("Unsqueeze", 1, 1), (2, 3), (2, 1, 3)),
        (items(nn("Unsqueeze", 2), 1), (2, 3), (2, 3, 1)),
    ],
)
def test_axes_of_extent_1(
    made: TorchObject, given: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    (x,) = inputs(given)
    same(outputs(made, x), x.reshape(shape))


def test_fields_are_those_of_torch7() -> None:
    fields = nn("View", 4, -1).fields
    assert fields["size"].kind == "Long"
    assert fields["size"].data.tolist() == [4, -1]
    assert fields["numElements"] == 4
    assert "numInputDims" not in call(nn("View", 2), "setNumInputDims", None).fields
    fields = nn("Reshape", 4, 5, False).fields
    assert (fields["nelement"], fields["batchMode"]) == (20, False)
    assert fields["batchsize"].data.tolist()[1:] == [4, 5]


@pytest.mark.parametrize(
    ("made", "shape", "message"),
    [
        (nn("View", 5, -1), (3, 4), "cannot view 3x4 as 5x-1"),
        (nn("View", 5), (3, 4), "cannot view 3x4 as 5"),
        (items(nn("View", 12), 3), (3, 4), "expected an input of at least 3 dimensions, got 3x4"),
        (nn("Reshape", 5), (3, 4), "expected 5 elements in an item to make 5, got 4 in 3x4"),
        (nn("Reshape", 5, False), (3, 4), "cannot view 3x4 as 5"),
        (nn("InferReshape", 3, 4, 0), (3, 4), "cannot view 3x4 as 3x4x0"),
        (nn("Transpose", Table.of([1, 3])), (3, 4), r"cannot transpose \[1, 3\] of 3x4"),
        (nn("Squeeze", 3), (3, 4), "3x4 has no dimension 3 to squeeze"),
        (nn("Unsqueeze", 4), (3, 4), "cannot insert dimension 4: the input is 3x4"),
        (nn("Unsqueeze", 1, 3), (3, 4), "and an item has 3 dimensions"),
    ],
)
def test_views_that_do_not_fit(made: TorchObject, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        TorchModule(made, [shape])


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("View", (-1, -1), "sizes must be positive, and one may be -1, got -1x-1"),
        ("View", (-2,), "sizes must be positive"),
        ("View", (2.5,), "size must be a whole number, got 2.5"),
        ("Transpose", (1, 2), "expected pairs such as {2, 3}, got 1"),
        ("Unsqueeze", (), "nn.Unsqueeze: argument 1, pos, is nil"),
        ("Squeeze", ("a",), "dim must be a number, got a"),
    ],
)
def test_arguments_that_are_refused(name: str, arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        nn(name, *arguments)

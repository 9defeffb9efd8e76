"""Axes that are moved, and batches of another size."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.proto.source import Source
from protonet.torch7 import axes
from protonet.torch7.builder import Blob, NetBuilder
from protonet.torch7.network import builder


@pytest.fixture
def net() -> NetBuilder:
    return builder(Source("n", ""))


def test_dimensions_count_from_1_or_from_the_end() -> None:
    x = Blob("x", (2, 3, 5))
    assert [axes.dimension(x, given) for given in (1, 3, -1, -3)] == [0, 2, 2, 0]
    assert [axes.dimension(x, given, 2) for given in (0, 1, 2, -1)] == [0, 1, 2, 2]
    assert axes.dimension(x, 3, 3) == 2
    for given, items in [(0, None), (0, 3), (4, None), (-4, None), (3, 2)]:
        with pytest.raises(LayerError, match=f"3 dimensions .2x3x5. has no dimension {given}"):
            axes.dimension(x, given, items)


def test_what_changes_nothing_is_no_layer(net: NetBuilder) -> None:
    x = net.input("x", (2, 1, 5))
    assert axes.permute(net, x, [0, 1, 2]) is x
    assert axes.pad(net, x, [(0, 0)] * 3) is x
    assert axes.narrow(net, x, 2, 0, 5) is x
    assert axes.merge(net, x, 1, 1) is x
    assert axes.concat(net, [x], 1) is x
    assert axes.view(net, x, [2, -1, 5]) is x
    assert net.specs == []


def test_shapes(net: NetBuilder) -> None:
    x = net.input("x", (2, 3, 5))
    assert axes.merge(net, x, 0, 2).shape == (6, 5)
    assert axes.insert(net, x, 3).shape == (2, 3, 5, 1)
    assert axes.drop(net, axes.insert(net, x, 0), 0).shape == (2, 3, 5)
    assert axes.select(net, x, 1, 2).shape == (2, 5)
    assert [part.shape for part in axes.split(net, x, 2)] == [(2, 3)] * 5
    assert axes.view(net, x, [15, -1]).shape == (15, 2)
    dims = [list(spec.reshape_param.shape.dim) for spec in net.specs[-1:]]
    assert dims == [[15, -1]]
    axes.view(net, x, [6, 5])
    assert list(net.specs[-1].reshape_param.shape.dim) == [-1, 5]
    axes.view(net, x, [2, 15])
    assert list(net.specs[-1].reshape_param.shape.dim) == [0, 15]


@pytest.mark.parametrize(
    ("start", "length", "points", "top"),
    [(0, 2, [2], "Slice1_1"), (3, 2, [3], "Slice1_2"), (1, 3, [1, 4], "Slice1_2")],
)
def test_a_part_is_a_slice(
    net: NetBuilder, start: int, length: int, points: list[int], top: str
) -> None:
    part = axes.narrow(net, net.input("x", (2, 5)), 1, start, length)
    assert (part.name, part.shape) == (top, (2, length))
    (spec,) = net.specs
    assert (spec.type, list(spec.slice_param.slice_point)) == ("Slice", points)


def test_parts_that_are_not_there(net: NetBuilder) -> None:
    x, vector = net.input("x", (2, 3, 5)), net.input("v", (4,))
    with pytest.raises(LayerError, match="dimension 2 of 2x3x5 has no elements 3 to 4"):
        axes.narrow(net, x, 1, 2, 2)
    with pytest.raises(LayerError, match="at least 2 dimensions to select from"):
        axes.select(net, vector, 0, 1)
    with pytest.raises(LayerError, match="at least 2 dimensions to split"):
        axes.split(net, vector, 0)
    with pytest.raises(LayerError, match="cannot view 2x3x5 as 4x-1"):
        axes.view(net, x, [4, -1])


def test_a_single_value_is_split_off_without_a_copy(net: NetBuilder) -> None:
    (part,) = axes.split(net, net.input("x", (2, 1, 5)), 1)
    assert part.shape == (2, 5)
    assert [spec.type for spec in net.specs] == ["Reshape"]
    assert np.prod(part.shape) == 10

"""Fields that a file may have damaged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchModule
from protonet.torch7.modules.base import module_class
from protonet.torch7.modules.fields import table_field, whole_numbers
from protonet.torch7.modules.shapes import longs
from protonet.torch7.objects import Table, Tensor, TorchObject
from tests.torch7.modules.test_graph import graph, source, times
from tests.torch7.trees import nn


def test_tables_and_whole_numbers() -> None:
    fields = Table({"t": Table(), "n": longs([2, 3]), "v": Tensor.of(np.array([4, 5]), "Long")})
    made = module_class("nn.Identity")(TorchObject("nn.Identity", fields))
    assert table_field(made, "t") is fields["t"]
    assert (whole_numbers(made, "n"), whole_numbers(made, "v")) == ([2, 3], [4, 5])
    with pytest.raises(LayerError, match=r"nn.Identity: x must be a table, got None"):
        table_field(made, "x")
    with pytest.raises(LayerError, match=r"nn.Identity: t must be a LongStorage, got"):
        whole_numbers(made, "t")


@pytest.mark.parametrize(
    ("made", "field", "value"),
    [
        (nn("View", 6), "size", None),
        (nn("View", 6), "size", longs([0])),
        (nn("Reshape", 6), "size", 3),
        (nn("InferReshape", 6), "size", Table()),
        (nn("Transpose"), "permutations", 3),
        (nn("Transpose"), "permutations", Table.of([3])),
        (nn("Transpose"), "permutations", Table.of([Table.of([1, "a"])])),
        (nn("Select", 1, 1), "index", "x"),
        (nn("Replicate", 2), "nfeatures", None),
        (nn("Replicate", 2), "nfeatures", 0),
        (nn("Replicate", 2), "ndim", "x"),
        (nn("Padding", 1, 1), "nInputDim", "x"),
        (nn("Padding", 1, 1), "value", "x"),
        (nn("Sum", 1), "nInputDims", "x"),
        (nn("Squeeze", 1), "numInputDims", 2.5),
        (nn("Sequential"), "modules", 3),
        (nn("Concat", 1), "modules", None),
        (nn("MapTable", nn("Identity")), "module", 3),
        (nn("Bottle", nn("Identity")), "nInputDim", None),
        (nn("Constant", 3, 1), "value", 3),
        (nn("Constant", 3, 1), "nInputDim", "x"),
        (nn("Convert", "bf", "fb"), "inputShape", 3),
        (nn("WeightNorm", nn("Linear", 3, 2)), "v", 3),
        (nn("WeightNorm", nn("Linear", 3, 2)), "v", Tensor.of(np.zeros(6))),
    ],
)
def test_damaged_fields_are_told(made: TorchObject, field: str, value: Any) -> None:
    made.fields[field] = value
    with pytest.raises(NetworkError):
        TorchModule(made, [(2, 3)])


def damaged(*path: Any, value: Any) -> TorchObject:
    """A graph with another value at a place: fields, keys and indices."""
    x = source()
    made = graph([x], [times(2, x)])
    owner: Any = made
    for key in path[:-1]:
        owner = owner.fields[key] if isinstance(owner, TorchObject) else owner[key]
    (owner.fields if isinstance(owner, TorchObject) else owner)[path[-1]] = value
    return made


@pytest.mark.parametrize(
    "path",
    [
        ("forwardnodes",),
        ("innode",),
        ("outnode",),
        ("forwardnodes", 2),
        ("forwardnodes", 2, "data"),
        ("forwardnodes", 2, "children"),
        ("forwardnodes", 2, "children", 1),
        ("forwardnodes", 2, "data", "mapindex"),
        ("forwardnodes", 1, "data"),
        ("modules",),
        ("modules", 1),
        ("nInputs",),
    ],
)
@pytest.mark.parametrize("value", [3, "x", Table(), TorchObject("nngraph.Node")])
def test_damaged_graphs_are_told(path: tuple[Any, ...], value: Any) -> None:
    with pytest.raises((NetworkError, LayerError)):
        TorchModule(damaged(*path, value=value), [(2, 3)])

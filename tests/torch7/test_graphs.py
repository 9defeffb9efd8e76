"""Graphs of nodes, in Torch7's order."""

from __future__ import annotations

from typing import Any

import pytest

from protonet.errors import LayerError
from protonet.torch7 import graphs
from protonet.torch7.objects import Table, TorchObject
from tests.torch7.trees import nn


def of(name: str, *inputs: TorchObject) -> TorchObject:
    """A node that is told by its name."""
    made = graphs.node({"module": name})
    for each in inputs:
        graphs.connect(made, each)
    return made


def names(nodes: list[TorchObject]) -> list[Any]:
    return [each.fields["data"]["module"] for each in nodes]


def test_a_node_has_its_inputs_in_order() -> None:
    a, b = of("a"), of("b")
    both = of("c", b, a)
    data = both.fields["data"]
    assert names(graphs.children_of(both)) == ["b", "a"]
    assert [data["mapindex"][1], data["mapindex"][2]] == [b.fields["data"], a.fields["data"]]
    assert data["mapindex"][a.fields["data"]] == 2
    assert list(a.fields["data"]["reverseMap"]) == [both]
    with pytest.raises(LayerError, match="don't pass the same input twice"):
        graphs.connect(both, a)


def test_the_order_is_that_of_torch7() -> None:
    """Found by running torch/graph, Node.lua and init.lua, on the same graph."""
    a, b = of("a"), of("b")
    end = of("g", of("e", of("c", a), b), of("f", of("d", b), a))
    back = graphs.graph_from(end)
    assert names(back.fields["nodes"].sequence) == list("gefcbda")
    forward, twins = graphs.reversed_graph(back)
    assert names(graphs.roots_of(back)) == ["g"]
    assert names(graphs.roots_of(forward)) == ["b", "a"]
    assert names(graphs.sorted_nodes(forward)) == list("acbedfg")
    assert names(graphs.sorted_nodes(back)) == list("gefdbca")
    assert twins[a].fields["data"] is a.fields["data"]
    assert [each.fields["id"] for each in back.fields["nodes"].sequence] == list(range(1, 8))


def test_a_long_chain() -> None:
    end = of("0")
    for place in range(1, 5000):
        end = of(str(place), end)
    assert len(graphs.sorted_nodes(graphs.graph_from(end))) == 5000


def test_a_circle_has_no_order() -> None:
    a = of("a")
    b = of("b", a)
    graphs.connect(a, b)
    with pytest.raises(LayerError, match="the graph has cycles"):
        graphs.sorted_nodes(graphs.graph_from(a))


def test_parts_of_a_table() -> None:
    source = of("a")
    parts = graphs.split(source, 3)
    assert [part.fields["data"]["selectindex"] for part in parts] == [1, 2, 3]
    (table,) = {graphs.children_of(part)[0] for part in parts}
    assert table.fields["data"]["nSplitOutputs"] == 3
    assert graphs.children_of(table) == [source]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([nn("Identity")], r"inputs\[1\] is the module nn.Identity, expected a node"),
        ([Table.of([3])], r"inputs\[1\] should be an nngraph.Node, got 3"),
        ([None], r"inputs\[1\] is nil"),
        ([Table()], "cannot pass an empty table of inputs"),
        ([1, 2], "to pass multiple inputs"),
    ],
)
def test_inputs_that_are_no_nodes(inputs: list[Any], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        graphs.call(nn("Identity"), inputs)

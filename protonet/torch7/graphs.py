"""Graphs of modules, as the packages nngraph and graph of Torch7 build them.

A node is a ``TorchObject`` with the fields of ``nngraph.Node``. Its children are the nodes whose
outputs it takes: a graph is built from the outputs to the inputs, and reversed to be evaluated.
The order in which nodes are visited is that of Torch7, since it decides the order of parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from protonet.errors import LayerError
from protonet.torch7.objects import Table, TorchObject

NODE, EDGE, GRAPH = "nngraph.Node", "graph.Edge", "graph.Graph"


def node(data: dict[str, Any], line: int = 0) -> TorchObject:
    """A new node. ``data`` may have a module, or what else the node does."""
    table = Table(data)
    for name in ("annotations", "mapindex", "reverseMap"):
        table[name] = Table()
    if line:
        table["annotations"]["_debugLabel"] = f"line {line}"
    return _sharing(table, line)


def _sharing(data: Table, line: int = 0) -> TorchObject:
    """A node with data that may belong to others too."""
    fields = {"data": data, "id": 0, "children": Table(), "visited": False, "marked": False}
    return TorchObject(NODE, Table(fields), line)


def call(module: TorchObject, inputs: Sequence[Any]) -> TorchObject:
    """``module(node)``, ``module({node, ...})`` or ``module()``: a node of the module.

    Raises:
        LayerError: for inputs that are not nodes.
    """
    if len(inputs) > 1:
        raise LayerError("use {input1, input2} to pass multiple inputs")
    made = node({"module": module}, module.line)
    if not inputs:
        return made
    given = inputs[0].sequence if isinstance(inputs[0], Table) else [inputs[0]]
    if not given:
        raise LayerError(
            "cannot pass an empty table of inputs", hint="leave the second parentheses empty"
        )
    for place, each in enumerate(given, start=1):
        connect(made, checked(each, "inputs", place))
    return made


def checked(given: Any, name: str, place: int) -> TorchObject:
    """A value that must be a node.

    Raises:
        LayerError: when it is something else.
    """
    if isinstance(given, TorchObject) and given.typename == NODE:
        return given
    if given is None:
        raise LayerError(f"{name}[{place}] is nil", hint="a typing mistake, or a bad index")
    if isinstance(given, TorchObject):
        raise LayerError(
            f"{name}[{place}] is the module {given.typename}, expected a node",
            hint="a second pair of parentheses makes a node of a module: nn.Identity()()",
        )
    raise LayerError(f"{name}[{place}] should be an nngraph.Node, got {given}")


def connect(made: TorchObject, child: TorchObject) -> None:
    """Let a node take the output of another: as its next input.

    Raises:
        LayerError: when it takes that already.
    """
    mapindex, data = made.fields["data"]["mapindex"], child.fields["data"]
    if data in mapindex:
        raise LayerError("don't pass the same input twice")
    _adopt(made, child)
    place = len(mapindex.sequence) + 1
    mapindex[place], mapindex[data] = data, place
    data["reverseMap"][made] = True


def _adopt(made: TorchObject, child: TorchObject) -> None:
    _append(made.fields["children"], child)


def _append(table: Table, value: TorchObject) -> None:
    """Append a value that is not there yet; the value is a key too, of its place."""
    if value not in table:
        place = len(table) // 2 + 1
        table[place], table[value] = value, place


def split(made: TorchObject, count: int) -> list[TorchObject]:
    """Nodes for the values of a table of ``count`` that a node gives."""
    table = node({"nSplitOutputs": count}, made.line)
    connect(table, made)
    parts = []
    for place in range(1, count + 1):
        part = node({"selectindex": place, "input": Table()}, made.line)
        connect(part, table)
        parts.append(part)
    return parts


# Graphs.


def children_of(made: TorchObject) -> list[TorchObject]:
    """The children of a node, in order."""
    children: Table = made.fields["children"]
    return children.sequence


def graph_from(root: TorchObject) -> TorchObject:
    """The graph of all that a node reaches, breadth first."""
    graph = TorchObject(GRAPH, Table({"nodes": Table(), "edges": Table()}))
    queue, seen = [root], {root}
    for each in queue:
        for child in children_of(each):
            _add_edge(graph, each, child)
            if child not in seen:
                seen.add(child)
                queue.append(child)
    return graph


def _add_edge(graph: TorchObject, start: TorchObject, end: TorchObject) -> None:
    _append(graph.fields["edges"], TorchObject(EDGE, Table({"from": start, "to": end})))
    nodes = graph.fields["nodes"]
    for each in (start, end):
        _append(nodes, each)
    _adopt(start, end)
    for each in (start, end):
        each.fields["id"] = nodes[each]


def _edges(graph: TorchObject) -> Iterator[tuple[TorchObject, TorchObject]]:
    for edge in graph.fields["edges"].sequence:
        yield edge.fields["from"], edge.fields["to"]


def reversed_graph(graph: TorchObject) -> tuple[TorchObject, dict[TorchObject, TorchObject]]:
    """A graph with all edges turned round, and its node for each: these share their data."""
    turned = TorchObject(GRAPH, Table({"nodes": Table(), "edges": Table()}))
    twins: dict[TorchObject, TorchObject] = {}
    for start, end in _edges(graph):
        for each in (start, end):
            twins.setdefault(each, _sharing(each.fields["data"], each.line))
        _add_edge(turned, twins[end], twins[start])
    return turned, twins


def roots_of(graph: TorchObject) -> list[TorchObject]:
    """The nodes that no edge leads to, in the order of the graph."""
    ends = {end for _, end in _edges(graph)}
    return [each for each in graph.fields["nodes"].sequence if each not in ends]


def sorted_nodes(graph: TorchObject) -> list[TorchObject]:
    """The nodes so that each comes after those that lead to it.

    Raises:
        LayerError: for a graph with cycles.
    """
    turned, twins = reversed_graph(graph)
    originals = {twin: each for each, twin in twins.items()}
    order = [originals[each] for each in _after_children(roots_of(turned))]
    if len(order) != len(graph.fields["nodes"].sequence):
        raise LayerError("the graph has cycles")
    return order


def _after_children(roots: Sequence[TorchObject]) -> list[TorchObject]:
    """All nodes that these reach, depth first, each after its children."""
    order: list[TorchObject] = []
    seen: set[TorchObject] = set()
    stack = [iter(roots)]
    path: list[TorchObject] = []
    while stack:
        child = next(stack[-1], None)
        if child is None:
            stack.pop()
            if path:
                order.append(path.pop())
        elif child not in seen:
            seen.add(child)
            path.append(child)
            stack.append(iter(children_of(child)))
    return order

"""nngraph: modules that are connected by calls, and the graph of them."""

from __future__ import annotations

from typing import Any

from protonet.errors import LayerError
from protonet.torch7 import graphs
from protonet.torch7.arguments import whole
from protonet.torch7.builder import NetBuilder, Value
from protonet.torch7.modules.base import Criterion, Module, lua, module
from protonet.torch7.modules.containers import Container
from protonet.torch7.modules.criterion_containers import loss_as_value
from protonet.torch7.modules.fields import table_field
from protonet.torch7.modules.tables import TableModule
from protonet.torch7.objects import Table, TorchObject


@module("nngraph.Node")
class Node(Module):
    """A module in a graph, and the nodes whose outputs it takes. It is no module by itself."""

    learned = ()

    def construct(self, *_: Any) -> None:
        raise LayerError(
            "nngraph.Node is not made by itself", hint="call a module: nn.Identity()()"
        )

    @lua
    def split(self, noutput: int) -> TorchObject | tuple[TorchObject, ...]:
        """Nodes for the values of the table that this one gives."""
        if noutput == 1:
            made = TorchObject("nngraph.JustElement", line=self.object.line)
            made.fields["gradInput"] = Table()
            return graphs.call(made, [self.object])
        return tuple(graphs.split(self.object, int(noutput)))

    @lua
    def annotate(self, annotations: Table) -> TorchObject:
        """Add annotations, such as a name; returns the node."""
        self["data"]["annotations"].update(annotations)
        return self.object

    @lua
    def __call__(self, *_: Any) -> TorchObject:
        raise LayerError("a node of a graph cannot be called, only a module")


@module("nn.gModule")
class GModule(Container):
    """A graph of modules, from the nodes of its inputs to those of its outputs."""

    def construct(self, inputs: Table | None = None, outputs: Table | None = None) -> None:
        super().construct()
        given, wanted = self._nodes(inputs, "inputs"), self._nodes(outputs, "outputs")
        if not given or not wanted:
            raise LayerError("nn.gModule({input, ...}, {output, ...}): expected a node of each")
        outnode, innode = graphs.node({"input": Table()}), graphs.node({"input": Table()})
        for each in wanted:
            graphs.connect(outnode, each)
        _feed(innode, given)
        self["bg"] = graphs.graph_from(outnode)
        self["fg"], twins = graphs.reversed_graph(self["bg"])
        if innode not in twins:
            raise LayerError("nn.gModule: no output depends on an input")
        self["innode"], self["outnode"] = twins[innode], outnode
        self["verbose"] = False
        self["nInputs"] = len(given)
        order = graphs.sorted_nodes(self["fg"])
        self["forwardnodes"] = Table.of(order)
        self["backwardnodes"] = Table.of(graphs.sorted_nodes(self["bg"]))
        _check(order, twins[innode], graphs.roots_of(self["fg"]))
        for each in order:
            data = each.fields["data"]
            data["forwardNodeId"] = each.fields["id"]
            if data.get("module") is not None:
                self.add(data["module"])
        self["gradInput"] = None
        several = len(graphs.children_of(outnode)) > 1
        self["output"] = outnode.fields["data"]["input"] if several else None

    def _nodes(self, given: Any, name: str) -> list[TorchObject]:
        if not isinstance(given, Table):
            raise LayerError(f"nn.gModule: {name} must be a table of nodes, got {given}")
        count = max((key for key in given if isinstance(key, int)), default=0)
        return [graphs.checked(given.get(i), name, i) for i in range(1, count + 1)]

    @property
    def children(self) -> list[Module]:
        if self.get("modules") is None:  # files of old versions
            nodes = table_field(self, "forwardnodes").sequence
            inside = (_data_of(each).get("module") for each in nodes)
            return [self.wrap(each) for each in inside if each is not None]
        return super().children

    def layers(self, net: NetBuilder, x: Value) -> Value:
        innode, outnode = (_data_of(self.get(name)) for name in ("innode", "outnode"))
        count = self.integer("nInputs", len(_children_of(self.get("innode"))))
        given = [x] if count <= 1 else self.several(x)
        if len(given) != count:
            raise LayerError(f"expected a table of {count}, got one of {len(given)}")
        inputs: dict[int, dict[int, Value]] = {id(innode): dict(enumerate(given, start=1))}
        inside = iter(self.children)  # in the order of the nodes; replaced ones are only here
        for each in table_field(self, "forwardnodes").sequence:
            data = _data_of(each)
            child = None if data.get("module") is None else next(inside, None)
            if child is None and data.get("module") is not None:
                raise LayerError("the graph is damaged: it has more nodes than modules")
            y = self._output(net, data, child, inputs.get(id(data), {}))
            for following in _children_of(each):
                taker = _data_of(following)
                place = taker["mapindex"].get(data)
                if not isinstance(place, int):
                    raise LayerError("the graph is damaged: a node does not know its input")
                inputs.setdefault(id(taker), {})[place] = y
        if id(outnode) not in inputs:
            raise LayerError("the graph is damaged: nothing leads to its output")
        return _whole(inputs[id(outnode)])

    def _output(
        self, net: NetBuilder, data: Table, child: Module | None, inputs: dict[int, Value]
    ) -> Value:
        """What a node, with its module, gives for its inputs."""
        x = _whole(inputs)
        if data.get("selectindex") is not None:
            parts, place = self.several(x), whole("selectindex", data["selectindex"])
            if not 1 <= place <= len(parts):
                raise LayerError(f"index {place} does not exist in a table of {len(parts)}")
            return parts[place - 1]
        if child is not None:
            x = net.add(child, x)
        parted = data.get("nSplitOutputs")
        if parted is not None and len(self.several(x)) != parted:
            raise LayerError(f"split({parted}) cannot split {len(self.several(x))} outputs")
        return x


def _data_of(given: Any) -> Table:
    """The data of a node of a file."""
    data = given.fields.get("data") if isinstance(given, TorchObject) else None
    if not isinstance(data, Table) or not isinstance(data.get("mapindex"), Table):
        raise LayerError("the graph is damaged: a node has no data")
    return data


def _children_of(given: Any) -> list[TorchObject]:
    """The children of a node of a file."""
    children = given.fields.get("children") if isinstance(given, TorchObject) else None
    if not isinstance(children, Table):
        raise LayerError("the graph is damaged: a node has no children")
    return children.sequence


def _feed(innode: TorchObject, inputs: list[TorchObject]) -> None:
    """Connect the nodes of the inputs to the one that gets the input."""
    sources = [innode] if len(inputs) == 1 else graphs.split(innode, len(inputs))
    for place, each in enumerate(inputs, start=1):
        if graphs.children_of(each):
            raise LayerError(f"inputs[{place}] of nn.gModule has inputs itself")
    for each, source in zip(inputs, sources, strict=True):
        graphs.connect(each, source)


def _whole(inputs: dict[int, Value]) -> Value:
    """The input of a node: one, or a table of several."""
    values = [inputs[place] for place in sorted(inputs)]
    return values[0] if len(values) == 1 else values


def _check(order: list[TorchObject], innode: TorchObject, roots: list[TorchObject]) -> None:
    """Raise LayerError for nodes without inputs, or whose output nobody takes."""
    inside = {id(each.fields["data"]) for each in order}
    for root in roots:
        if root is not innode:
            raise LayerError(f"{_named(root)} has no input and is no input of nn.gModule")
    for each in order:
        data = each.fields["data"]
        unused = data.get("nSplitOutputs", 0) - len(graphs.children_of(each))
        if data.get("nSplitOutputs") is not None and unused:
            raise LayerError(
                f"{unused} of split({data['nSplitOutputs']}) outputs are unused"
                + (f" ({_named(each)})" if each.line else "")
            )
        for taker in data["reverseMap"]:
            if id(taker.fields["data"]) not in inside:
                raise LayerError(f"{_named(taker)} does not connect to an output of nn.gModule")


def _named(made: TorchObject) -> str:
    inside = made.fields["data"].get("module")
    name = "the node" if inside is None else f"the node of {inside.typename}"
    return f"{name} of line {made.line}" if made.line else name


@module("nngraph.JustElement")
class JustElement(TableModule):
    """The value of a table of one."""

    def layers(self, net: NetBuilder, x: Value) -> Value:
        values = self.several(x)
        if len(values) != 1:
            raise LayerError(f"expected a table of one, got one of {len(values)}")
        return values[0]


@module("nngraph.JustTable")
class JustTable(Module):
    """A table of one: the input."""

    def construct(self) -> None:
        self["output"] = Table()

    def layers(self, net: NetBuilder, x: Value) -> Value:
        return [x]


@module("nn.ModuleFromCriterion")
class ModuleFromCriterion(TableModule):
    """A criterion as a module: ``{prediction, target}`` to a tensor of its one number."""

    def construct(self, criterion: TorchObject | None = None) -> None:
        if not isinstance(self.wrap(criterion), Criterion):
            raise LayerError(f"nn.ModuleFromCriterion: expected a criterion, got {criterion}")
        self["criterion"] = criterion
        self["output"] = self.tensor(1)
        self["gradInput"] = Table.of([self.tensor(), self.tensor()])

    def layers(self, net: NetBuilder, x: Value) -> Value:
        prediction, target = self.pair(x)
        criterion = self.wrap(self["criterion"])
        assert isinstance(criterion, Criterion), criterion.object.typename
        return loss_as_value(net, criterion, prediction, target)


def nest(*inputs: Any) -> TorchObject:
    """``nngraph.nest(nodes)``: one node for nodes in nested tables.

    Raises:
        LayerError: for what is neither a node nor a table with nodes.
    """
    given = inputs[0] if len(inputs) == 1 else None
    if isinstance(given, TorchObject) and given.typename == graphs.NODE:
        return given
    if not isinstance(given, Table) or not given.sequence:
        raise LayerError(f"nngraph.nest: expected a node or a table of nodes, got {given}")
    inside = given.sequence
    if len(inside) == 1:
        made = TorchObject("nngraph.JustTable", Table({"output": Table()}))
        return graphs.call(made, inside)
    return graphs.call(TorchObject("nn.Identity"), [Table.of(nest(each) for each in inside)])

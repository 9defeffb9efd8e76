"""nngraph."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchModule
from protonet.torch7.copying import copied
from protonet.torch7.modules.base import create
from protonet.torch7.modules.graph import nest
from protonet.torch7.objects import Table, TorchObject
from tests.torch7.modules.computing import inputs, nested, outputs, same, slopes
from tests.torch7.trees import SESSION, call, nn, sequential


def node(made: TorchObject, *of: TorchObject) -> TorchObject:
    """``made(node)``, ``made({node, ...})`` or ``made()``"""
    found: TorchObject = call(made, "__call__", *([Table.of(of)] if len(of) > 1 else of))
    return found


def source() -> TorchObject:
    return node(nn("Identity"))


def graph(given: list[TorchObject], wanted: list[TorchObject]) -> TorchObject:
    return nn("gModule", Table.of(given), Table.of(wanted))


def times(factor: float, of: TorchObject) -> TorchObject:
    return node(nn("MulConstant", factor), of)


def test_a_graph_with_two_ways() -> None:
    x = source()
    y = node(nn("CMulTable"), times(2, x), times(3, x))
    made = graph([x], [y])
    (values,) = inputs((2, 3))
    same(outputs(made, values), 6 * values**2)
    dy = np.arange(1.0, 7).reshape(2, 3)
    same(slopes(made, values)[0], 12 * values * dy)
    kinds = [each.typename for each in made.fields["modules"].sequence]
    assert kinds == ["nn.Identity", "nn.MulConstant", "nn.MulConstant", "nn.CMulTable"]
    assert "output" not in made.fields


def test_several_inputs_and_outputs() -> None:
    a, b = source(), source()
    made = graph([a, b], [node(nn("CSubTable"), b, a), times(2, a)])
    one, other = inputs((2, 3), (2, 3))
    other += 1
    assert nested(outputs(made, one, other)) == nested([other - one, 2 * one])
    assert made.fields["output"] == {}
    with pytest.raises(NetworkError, match="expected a table of 2, got one of 3"):
        TorchModule(made, [(2, 3)] * 3)


def test_parameters_are_in_the_order_of_the_graph() -> None:
    x = source()
    first, second = nn("Linear", 3, 4), nn("Linear", 3, 5)
    late = node(second, x)
    made = graph([x], [node(nn("JoinTable", 2), node(first, x), late)])
    shapes = [value.shape for value, _ in TorchModule(made, [(2, 3)]).parameters()]
    assert shapes == [(4, 3), (4,), (5, 3), (5,)]


def test_parts_of_a_table() -> None:
    x = source()
    parts = call(node(nn("SplitTable", 2), x), "split", 3)
    made = graph([x], [node(nn("CSubTable"), parts[2], parts[0]), parts[1]])
    (values,) = inputs((2, 3, 4))
    assert nested(outputs(made, values)) == nested([values[:, 2] - values[:, 0], values[:, 1]])
    (values,) = inputs((2, 1, 4))
    x = source()
    one = call(node(nn("SplitTable", 2), x), "split", 1)
    same(outputs(graph([x], [one]), values), values[:, 0])


def test_signs_connect() -> None:
    x = call(nn("Identity"), "__unm__")
    y = call(x, "__sub__", nn("MulConstant", 2))
    assert call(y, "annotate", Table({"name": "twice"})) is y
    assert y.fields["data"]["annotations"]["name"] == "twice"
    (values,) = inputs((2, 3))
    same(outputs(graph([x], [y]), values), 2 * values)


def test_a_graph_in_a_graph_and_its_copy() -> None:
    x, outer = source(), source()
    inner = graph([x], [node(nn("Linear", 3, 3), x)])
    made = sequential(graph([outer], [node(inner, outer)]), copied(inner, ["weight", "bias"]))
    model = TorchModule(made, [(2, 3)])
    (values,) = inputs((2, 3))
    w, b = (value for value, _ in model.parameters()[:2])
    same(model.forward(values), (values @ w.T + b) @ w.T + b)
    assert len({spec.param[0].name for spec in model.translated.definition.net.layer}) == 1


def test_a_file_of_an_old_version_has_no_list_of_modules() -> None:
    x = source()
    made = graph([x], [node(nn("Linear", 3, 2), x)])
    del made.fields["modules"], made.fields["nInputs"]
    assert len(TorchModule(made, [(2, 3)]).parameters()) == 2


def test_a_module_that_was_replaced() -> None:
    x = source()
    made = graph([x], [times(2, x)])
    made.fields["modules"][2] = nn("MulConstant", 5)
    (values,) = inputs((2, 3))
    same(outputs(made, values), 5 * values)


def test_a_criterion_in_a_graph() -> None:
    x, t = source(), source()
    made = graph([x, t], [node(nn("MSECriterion"), x, t)])
    one, other = inputs((2, 3), (2, 3))
    other[:] = 1
    same(outputs(made, one, other), np.array([((one - 1) ** 2).mean()]))
    same(slopes(made, one, other)[0], 2 * (one - 1) / 6)


def test_nested_inputs() -> None:
    a, b = source(), source()
    made = graph([a, b], [nest(Table.of([a, Table.of([b])]))])
    one, other = inputs((2, 3), (2, 4))
    assert nested(outputs(made, one, other)) == nested([one, [other]])
    assert nest(a) is a
    with pytest.raises(LayerError, match="expected a node or a table of nodes, got 3"):
        nest(3)
    with pytest.raises(NetworkError, match="expected a table of one, got one of 2"):
        TorchModule(TorchObject("nngraph.JustElement"), [(2, 3)] * 2)


def test_graphs_that_are_refused() -> None:
    x = source()
    y, loose = times(2, x), times(3, x)
    with pytest.raises(LayerError, match=r"node of nn.MulConstant does not connect to an output"):
        graph([x], [y])
    assert loose.line == 0
    x = source()
    with pytest.raises(LayerError, match=r"node of nn.Identity has no input and is no input of"):
        graph([x], [node(nn("CAddTable"), times(2, x), source())])
    x = source()
    parts = call(x, "split", 2)
    with pytest.raises(LayerError, match=r"1 of split\(2\) outputs are unused"):
        graph([x], [parts[0]])
    with pytest.raises(LayerError, match=r"inputs\[1\] of nn.gModule has inputs itself"):
        graph([times(2, source()), source()], [source()])
    with pytest.raises(LayerError, match=r"outputs\[1\] is the module nn.Identity, expected"):
        graph([source()], [nn("Identity")])
    with pytest.raises(LayerError, match=r"inputs must be a table of nodes, got None"):
        nn("gModule")
    with pytest.raises(LayerError, match="expected a node of each"):
        nn("gModule", Table(), Table())
    with pytest.raises(LayerError, match="is not made by itself"):
        create("nngraph.Node", [], SESSION)
    with pytest.raises(LayerError, match="a node of a graph cannot be called"):
        call(source(), "__call__")


def test_splits_of_other_counts() -> None:
    x = source()
    made = graph([x], list(call(node(nn("SplitTable", 2), x), "split", 3)))
    with pytest.raises(NetworkError, match=r"split\(3\) cannot split 2 outputs"):
        TorchModule(made, [(2, 2)])

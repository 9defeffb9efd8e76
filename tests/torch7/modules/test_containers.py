"""Modules of modules."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError, NetworkError
from protonet.torch7.api import TorchModule
from protonet.torch7.objects import TorchObject
from tests.torch7.modules.computing import inputs, nested, outputs, same, slopes
from tests.torch7.trees import call, nn, sequential


def filled(name: str, *inside: TorchObject, arguments: tuple[object, ...] = ()) -> TorchObject:
    made = nn(name, *arguments)
    for each in inside:
        assert call(made, "add", each) is made
    return made


def constants(*values: float) -> list[TorchObject]:
    return [nn("MulConstant", value) for value in values]


def test_add_appends_and_returns_the_container() -> None:
    net = nn("Sequential")
    linear = nn("Linear", 2, 2)
    assert call(net, "add", linear) is net
    assert net.fields["modules"].sequence == [linear]
    assert call(net, "size") == 1
    assert call(net, "get", 1) is linear
    assert call(net, "get", 2) is None
    assert call(net, "extend", *constants(2, 3)) is net
    assert call(net, "size") == 3


def test_a_sequence_has_the_ends_of_its_modules() -> None:
    first, second, third = constants(2, 3, 4)
    net = sequential(first, second)
    assert net.fields["output"] is second.fields["output"]
    assert net.fields["gradInput"] is first.fields["gradInput"]
    call(net, "insert", third, 1)
    assert net.fields["modules"].sequence == [third, first, second]
    assert net.fields["gradInput"] is third.fields["gradInput"]
    call(net, "remove")
    assert net.fields["modules"].sequence == [third, first]
    call(net, "remove", 1)
    assert net.fields["modules"].sequence == [first]
    call(net, "remove", 1)
    assert net.fields["modules"].sequence == []
    assert net.fields["output"].count == 0


@pytest.mark.parametrize(
    ("method", "arguments", "message"),
    [
        ("insert", (0,), "nn.Sequential: insert at 1 to 2, got 0"),
        ("insert", (3,), "nn.Sequential: insert at 1 to 2, got 3"),
        ("remove", (2,), "nn.Sequential: remove 1 to 1, got 2"),
    ],
)
def test_places_that_are_not_there(method: str, arguments: tuple[int], message: str) -> None:
    net = sequential(nn("Identity"))
    given = [nn("Identity"), *arguments] if method == "insert" else arguments
    with pytest.raises(LayerError, match=message):
        call(net, method, *given)


@pytest.mark.parametrize("odd", [None, 3, TorchObject("torch.Timer")])
def test_only_modules_are_added(odd: object) -> None:
    with pytest.raises(LayerError, match=r"expected a module|no module 'torch.Timer'"):
        sequential(odd)


def test_concat_joins() -> None:
    (x,) = inputs((2, 3))
    made = filled("Concat", *constants(2, 3), arguments=(2,))
    same(outputs(made, x), np.concatenate([2 * x, 3 * x], axis=1))
    dy = np.arange(1.0, 13).reshape(2, 6)
    same(slopes(made, x)[0], 2 * dy[:, :3] + 3 * dy[:, 3:])
    same(outputs(filled("Concat", *constants(2), arguments=(1,)), x), 2 * x)


def test_depth_concat_puts_zeros_around_smaller_outputs() -> None:
    (x,) = inputs((2, 3, 5, 6))
    small = sequential(nn("Narrow", 3, 1, 2), nn("Narrow", 4, 2, 3))
    made = filled("DepthConcat", nn("Identity"), small, arguments=(2,))
    expected = np.zeros((2, 6, 5, 6))
    expected[:, :3] = x
    expected[:, 3:, 1:3, 1:4] = x[:, :, :2, 1:4]
    same(outputs(made, x), expected)


def test_tables_in_and_out() -> None:
    (x,) = inputs((2, 3))
    both = filled("ConcatTable", *constants(2, 3))
    each = filled("ParallelTable", *constants(5, 7))
    first, second = outputs(sequential(both, each), x)
    same(first, 10 * x)
    same(second, 21 * x)


def test_parallel_has_a_module_for_each_value() -> None:
    (x,) = inputs((4, 2, 3))
    made = filled("Parallel", *constants(2, 3, 4), arguments=(2, 1))
    same(outputs(made, x), np.concatenate([2 * x[:, 0], 3 * x[:, 1]]))
    with pytest.raises(NetworkError, match="expected a module for each of the 4 values of dim"):
        TorchModule(filled("Parallel", *constants(2), arguments=(1, 1)), [(4, 2, 3)])


def test_map_table_has_one_module_for_all() -> None:
    a, b = inputs((2, 4), (5, 4))
    made = nn("MapTable", nn("Linear", 4, 3))
    model = TorchModule(made, [a.shape, b.shape])
    assert len(model.parameters()) == 2
    (w, dw), (bias, _) = model.parameters()
    first, second = model.forward(a, b)
    same(first, a @ w.T + bias)
    same(second, b @ w.T + bias)
    model.backward(np.ones((2, 3)), np.ones((5, 3)))
    same(dw, np.ones((3, 1)) * (a.sum(0) + b.sum(0)))
    with pytest.raises(LayerError, match="expected a single module"):
        call(made, "add", nn("Identity"))


def test_map_table_with_copies() -> None:
    made = nn("MapTable", nn("Linear", 4, 3), False)
    assert len(TorchModule(made, [(2, 4), (5, 4), (1, 4)]).parameters()) == 6
    call(made, "resize", 2)
    assert call(made, "size") == 2
    shared = nn("MapTable", nn("Linear", 4, 3))
    call(shared, "resize", 3)
    places = {each.fields["weight"].place for each in shared.fields["modules"].sequence}
    assert len(places) == 1


@pytest.mark.parametrize(
    ("made", "shapes", "message"),
    [
        (lambda: nn("Concat", 2), [(2, 3)], "expected a module inside, got none"),
        (lambda: filled("ParallelTable", *constants(1, 2, 3)), [(2,)] * 2, "a table of 3, got one"),
        (lambda: nn("MapTable"), [(2, 3)] * 2, "expected a module inside, got none"),
        (
            lambda: filled("Concat", nn("Sum", 1), nn("Identity"), arguments=(1,)),
            [(2, 3)],
            "cannot join 3 and 2x3",
        ),
    ],
)
def test_inputs_that_do_not_fit(made, shapes, message) -> None:
    with pytest.raises(NetworkError, match=message):
        TorchModule(made(), shapes)


def test_nested_outputs_are_nested_lists() -> None:
    (x,) = inputs((1, 2))
    made = filled("ConcatTable", nn("Identity"), filled("ConcatTable", *constants(1, 1)))
    assert nested(outputs(made, x)) == [x.tolist(), [x.tolist(), x.tolist()]]


def test_reset_draws_all_modules_again() -> None:
    net = sequential(nn("Linear", 3, 2), sequential(nn("Linear", 2, 2)))
    weights = [each.fields["weight"] for each in (net.fields["modules"][1],)]
    before = [each.array.copy() for each in weights]
    inner = net.fields["modules"][2].fields["modules"][1].fields["weight"]
    first = inner.array.copy()
    call(net, "reset", 0.001)
    assert (weights[0].array != before[0]).all()
    assert (inner.array != first).all()
    assert abs(inner.array).max() < 0.002

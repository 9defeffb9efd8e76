"""Values that both sides see."""

from __future__ import annotations

from protonet.torch7.lua.bridge import bytes_of, text_of
from protonet.torch7.lua.definition import Limits, Params
from protonet.torch7.lua.form import Packer, Unpacker
from protonet.torch7.lua.state import State
from protonet.torch7.modules.base import create
from protonet.torch7.objects import Function, Table, Tensor, TorchObject
from protonet.torch7.random import Generator
from tests.torch7.lua.states import ran


def state() -> State:
    return State(Params(), Limits())


def test_tables_and_objects_are_the_same_on_both_sides() -> None:
    here = state()
    found = here.run("net = nn.Linear(3, 2); t = { 1, x = net }; return function(p) return t end")
    assert found["x"] is found["x"]
    assert isinstance(found["x"], TorchObject)
    found["x"].fields["note"] = "new"
    found[2] = Table.of([7])
    assert here.run("return { net.note, t[2][1], #t }").sequence == ["new", 7, 2]
    here.run("net.note = nil; t[2][2] = 8; table.insert(t, 9); return {}")
    assert "note" not in found["x"].fields
    assert found[2].sequence == [7, 8]
    assert found[3] == 9


def test_a_table_that_moved_into_lua_is_still_the_same() -> None:
    here = state()
    net = create("nn.Sequential", (), here.calls.session)
    modules = net.fields["modules"]
    here.bridge.to_lua(net)
    modules[1] = create("nn.Linear", (3, 2), here.calls.session)
    assert net.fields["modules"] is modules
    assert len(net.fields["modules"]) == 1
    assert here.bridge.to_python(here.bridge.to_lua(net)) is net


def test_fields_keep_the_order_in_which_python_set_them() -> None:
    made = ran("local net = nn.Linear(3, 2); net.zz = 1; net.aa = 2; return net")
    expected = ["gradInput", "output", "_type", "weight", "gradWeight", "bias", "gradBias"]
    assert list(made.fields)[:7] == expected
    assert sorted(list(made.fields)[7:]) == ["aa", "zz"]
    assert len(made.fields) == 9
    del made.fields["aa"]
    assert "aa" not in made.fields


def test_tensors_are_known_again() -> None:
    found = ran("""
        local net = nn.Linear(3, 2)
        local seen = {}
        seen[net.weight] = 'weight'
        return { net.weight == net.weight, seen[net.weight], net.weight ~= net.bias,
            net.weight:fill(1) == net.weight, torch.ones(2) == torch.ones(2) }""")
    assert found.sequence == [True, "weight", True, True, False]


def test_functions_are_kept_and_can_be_called() -> None:
    here = state()
    found = here.run("return { f = function(x) return x + 1 end }")
    assert isinstance(found["f"], Function)
    assert found["f"](2) == 3
    assert here.bridge.to_python(here.bridge.to_lua(found["f"])) is found["f"]


def test_values_from_python() -> None:
    here = state()
    tensor = Tensor.of([1, 2], "Long")
    found = here.run("return function(p) return p end")
    found["t"], found["f"], found["s"] = tensor, Function(), "\u00e4"
    assert found["t"] is tensor
    assert isinstance(found["f"], Function)
    assert found["s"] == "\u00e4"


def test_texts_are_bytes_in_lua() -> None:
    assert bytes_of("a\u6f22") == "a\xe6\xbc\xa2"
    assert text_of(bytes_of("a\u6f22")) == "a\u6f22"
    assert text_of("\xff") == "\ufffd"


def test_deep_values_move_and_cross() -> None:
    text = """
        require 'nngraph'
        local x = nn.Identity()()
        local y = x
        for i = 1, 400 do y = nn.MulConstant(1)(y) end
        return nn.gModule({ x }, { y })"""
    made = ran(text)
    assert len(made.fields["modules"]) == 401
    packer = Packer()
    packer.reference(made)
    form, arrays = packer.packed(Generator())
    copy = Unpacker(form, arrays).value([0])
    assert len(copy.fields["forwardnodes"]) == len(made.fields["forwardnodes"])


def test_the_functions_of_nngraph() -> None:
    made = ran("""
        require 'nngraph'
        nngraph.setDebug(false)
        nngraph.annotateNodes()
        local x, y = nn.Identity()(), nn.Identity()()
        local a, b, c = nn.SplitTable(2)(x):split(3)
        local sum = nn.CAddTable()(nngraph.nest({ a, b }))
        local g = nn.gModule({ x, y }, { sum:annotate({ name = 'sum' }), nn.CMulTable()({ c, y }) })
        graph.dot(g.fg, 'forward')
        return g""")
    inside = [each.name for each in made.fields["modules"].sequence]
    assert inside == ["Identity", "SplitTable", "Identity", "CAddTable", "Identity", "CMulTable"]


def test_calls_make_nodes() -> None:
    made = ran("""
        local x = - nn.Identity()
        local y = x - nn.MulConstant(2) - nn.MulConstant(3)
        return nn.gModule({ x }, { nn.CAddTable()({ x, y }) })""")
    inside = made.fields["modules"].sequence
    assert [each.typename for each in inside] == [
        "nn.Identity", "nn.MulConstant", "nn.MulConstant", "nn.CAddTable",
    ]  # fmt: skip
    assert [each.line for each in inside] == [2, 3, 3, 4]


def test_sequences_end_at_the_first_hole() -> None:
    found = ran("return { 1, 'x', {}, nn.Identity(), torch.ones(1), print, nil, 7 }")
    types = ["int", "str", "Table", "TorchObject", "Tensor", "LuaFunction"]
    assert [type(each).__name__ for each in found.sequence] == types
    assert found.sequence[2] is found[3]
    assert ran("return {}").sequence == []


def test_many_modules_are_added_in_time() -> None:
    made = ran("local n = nn.Sequential() for i = 1, 1000 do n:add(nn.Identity()) end return n")
    assert len(made.fields["modules"]) == 1000

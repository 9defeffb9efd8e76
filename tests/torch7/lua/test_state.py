"""The environment of definitions, and what it keeps away from them."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from protonet.torch7.lua.definition import Params
from protonet.torch7.lua.state import MissingLuaError
from protonet.torch7.objects import Table
from tests.torch7.lua.states import log_of, ran, refused


def test_a_function_gets_the_params() -> None:
    text = """return function(p)
        local n = 1
        if p.inputShape then p.inputShape:apply(function(x) n = n * x end) end
        return { n, p.ngpus, p.nclasses or 'none', p.inputShape and p.inputShape[1] or 'none' }
    end"""
    assert ran(text, Params((3, 5, 7), 10, 2)).sequence == [105, 2, 10, 3]
    assert ran(text).sequence == [1, 0, "none", "none"]


@pytest.mark.parametrize(
    "name",
    [
        "io", "os", "debug", "package", "load", "loadstring", "loadfile", "dofile", "getfenv",
        "setfenv", "newproxy", "coroutine", "python", "module", "string.dump",
    ],
)  # fmt: skip
def test_nothing_of_the_system_is_there(name: str) -> None:
    assert ran(f"return {{ {name} == nil }}")[1] is True


@pytest.mark.parametrize(
    "text",
    [
        "return getmetatable(torch.ones(2))",
        "return getmetatable(nn.Sequential())",
        "return rawget(nn.Sequential(), '__class__')",
    ],
)
def test_metatables_are_hidden(text: str) -> None:
    assert ran(text) in (None, False)


@pytest.mark.parametrize(
    "text",
    [
        "setmetatable(nn.Sequential(), {})",
        "return torch.ones(2).__class__.__mro__",
        "local s = torch.ones(2).storage; return s.__init__.__globals__",
        "return ('').__class__.__base__",
        "_G.x.y = 1",
        "rawset(torch.ones(2), 'a', 1)",
    ],
)
def test_no_object_of_python_can_be_reached(text: str) -> None:
    refused(text)


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("x = = 3", 1, "unexpected symbol near '='"),
        ("\n\nlocal f = function( end", 3, "near 'end'"),
        ("local a\nreturn a.b", 2, "attempt to index local 'a' (a nil value)"),
        ("\nfoo()", 2, "attempt to call global 'foo' (a nil value)"),
        ("\n\nerror('no such model')", 3, "no such model"),
        ("\nerror({})", 2, "error with a table instead of a message"),
        ("assert(1 > 2, 'too small')", 1, "too small"),
        ("local function f() return 1 + f() end\nf()", 1, "stack overflow"),
        ("\n return nn.Linear(3)", 2, "nn.Linear: outputSize must be a number, got nil"),
        ("return function()\n return nn.Sequential():add(3)\nend", 2, "expected a module inside"),
        ("local t = torch.ones(2, 3)\nt:narrow(1, 2, 5)", 2, "narrow: 2 to 6 of dimension 1"),
        ("local t = torch.ones(2, 3)\nreturn t + 'x'", 2, "must be a number, got 'x'"),
        ("nn.Sequential().add(3)", 1, "call add with a colon"),
        (
            "nn.Sequential():add(nn.Linear('x', 3))",
            1,
            "nn.Linear: inputSize must be a number",
        ),
        ("torch.ones(2):apply(function(x)\nreturn y.z end)", 2, "index global 'y'"),
        ("torch.load('net.t7')", 1, "torch.load is not available"),
        ("require 'nnn'", 1, "no module 'nnn'; did you mean 'nn'?"),
        ("local x = nil + 1", 1, "attempt to perform arithmetic on a nil value"),
        ("pcall(5)\nerror('\xe4\u6f22')", 2, "\xe4\u6f22"),
        ("\x1bLua", 0, "compiled Lua"),
    ],
)
def test_mistakes_have_their_line(text: str, line: int, told: str) -> None:
    error = refused(text)
    assert told in error.message
    assert error.line == line


def test_a_loop_of_calls_ends_at_its_line() -> None:
    text = "local n = nn.Sequential()\nfor i = 1, 1e7 do\nn:add(nn.Identity()) end"
    error = refused(text, seconds=0.3)
    assert error.message == "the definition runs for more than 0.3 seconds"
    assert error.line in (2, 3)


def test_an_endless_loop_ends_at_its_line() -> None:
    error = refused("local x = 1\nwhile true do\nx = x + 1 end", seconds=0.3)
    assert error.message == "the definition runs for more than 0.3 seconds"
    assert error.line in (2, 3)


@pytest.mark.parametrize(
    "text",
    [
        "return { ('x'):rep(1e10) }",
        "return { string.rep('x', 2^28) }",
        "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1e5) .. i end",
        "local s = 'x' while true do s = s .. s end",
    ],
)
def test_memory_is_limited(text: str) -> None:
    assert "not enough memory" in refused(text).message


def test_pcall_gives_messages_with_their_line() -> None:
    found = ran("""
        local a, b = pcall(function() error('x') end)
        local c, d = pcall(torch.zeros, -1)
        local e, f, g = pcall(function(...) return ... end, 1, nil)
        local h, i = xpcall(function() error('y') end, function(m) return 'got ' .. m end)
        local j, k = pcall(error, { 7 })
        return { a, b, c, d, e, f, h, i, j, k[1] }""")
    assert found.sequence == [
        False,
        "definition:2: x",
        False,
        "definition:3: torch.zeros: a tensor cannot have the size -1",
        True,
        1,
        False,
        "got definition:5: y",
        False,
        7,
    ]


def test_digits_selects_its_backend() -> None:
    made = ran("""
        if pcall(function() require('cudnn') end) then
            backend = cudnn
        else
            backend = nn
        end
        local net = nn.Sequential()
        net:add(backend.Linear(3, 2))
        return net""")
    assert made.fields["modules"][1].typename == "cudnn.Linear"


def test_prints_go_to_the_log() -> None:
    lines = log_of("""
        print('a', 1, nil, true)
        print(nn.Sequential():add(nn.Linear(3, 2)))
        logmessage.display(0, 'ready')
        print(torch.range(1, 3), torch.LongStorage({2, 3}))""")
    assert lines == [
        "a\t1\tnil\ttrue",
        "nn.Sequential {\n  (1): nn.Linear\n}",
        "ready",
        "[1. 2. 3.]\n[torch.FloatTensor of size 3]\t2 3",
    ]
    assert len("".join(log_of("for i = 1, 1e5 do print('xxxxxxxx') end"))) < 70_000


def test_lua_of_several_bytes() -> None:
    assert ran("\ufeffreturn { '\xe4\u6f22', #'\xe4' }").sequence == ["\xe4\u6f22", 2]


def test_what_torch_says_of_types() -> None:
    found = ran("""
        local t, n = torch.ones(2), nn.Linear(2, 3)
        return { torch.type(t), torch.type(n), torch.type({}), torch.type('x'), torch.type(1),
            type(t), type(n), torch.isTensor(t), torch.isTypeOf(n, 'nn.Module'),
            torch.typename(t:storage()), torch.getdefaulttensortype(), #t == nil, n:type() }""")
    assert found.sequence == [
        "torch.FloatTensor", "nn.Linear", "table", "string", "number", "userdata", "table", True,
        True, "torch.FloatStorage", "torch.FloatTensor", False, "torch.FloatTensor",
    ]  # fmt: skip


def test_without_lupa(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lupa", None)
    with pytest.raises(MissingLuaError):
        ran("return {}")


def test_a_table_of_results() -> None:
    assert isinstance(ran("return { model = nn.Sequential() }"), Table)


def test_tables_of_connections() -> None:
    full = ran("return nn.tables.full(3, 2):totable()")
    pairs = [[1, 1], [2, 1], [3, 1], [1, 2], [2, 2], [3, 2]]
    assert [row.sequence for row in full.sequence] == pairs
    each = ran("return nn.tables.oneToOne(2):totable()")
    assert [row.sequence for row in each.sequence] == [[1, 1], [2, 2]]
    text = """local t = nn.tables.random(5, 4, 2):totable()
        torch.manualSeed(42)
        return { t, torch.randperm(5):totable(), torch.randperm(5):totable() }"""
    table, first, second = (list(each.sequence) for each in ran(text).sequence)
    chosen = [*first[:2], *first[2:4], *second[:2], *second[2:4]]
    assert [row.sequence for row in table] == [[i, k // 2 + 1] for k, i in enumerate(chosen)]


def test_kernels_of_the_library_image() -> None:
    places = np.arange(1, 6)
    line = np.exp(-(((places - 3) / 1.25) ** 2) / 2)
    made = ran("require 'image' return image.gaussian1D(5)")
    np.testing.assert_allclose(made.array, line, rtol=1e-6)
    made = ran("require 'image' return image.gaussian1D(5, 0.2, 2, true, 0.4)")
    shifted = np.exp(-((places - 2.5) ** 2) / 2)
    np.testing.assert_allclose(made.array, shifted / shifted.sum(), rtol=1e-6)
    made = ran("require 'image' return image.gaussian{width=5, height=3, amplitude=4}")
    column = np.exp(-(((np.arange(1, 4) - 2) / 0.75) ** 2) / 2)
    np.testing.assert_allclose(made.array, 4 * np.outer(column, line), rtol=1e-6)
    made = ran("require 'image' return image.gaussian(5, 0.25, 1, true):sum()")
    assert made == pytest.approx(1, rel=1e-6)

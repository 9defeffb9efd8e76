"""Whether a text is prototxt or Lua."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.proto.language import is_lua, lua_position

ROOT = Path(__file__).parents[2]

LUA = [
    "return function(p)\n return {} end",
    "-- a net\n--[[ layer { } ]]\nlocal net = nn.Sequential()\nreturn net",
    "require 'nn'\nlayer = 3",
    "local function build()\nend",
    "if pcall(function() require('cudnn') end) then\n local a = 1\nend",
    "net:add(nn.Linear(1, 2))\nreturn nn.Sequential()",
    "# odd\nreturn { model = net }",
    "model = nn.Sequential()\nmodel:add(nn.Linear(2, 3))\nreturn model",
    "local net; net = nn.Sequential()",
    "net = build()\nreturn net",
    "return{model = net}",
    "return (function(p) end)",
    "return cudnn.SpatialConvolution(1, 2, 3, 3)",
    "--[==[ layer { ]] ]==] return function(p) end",
    "\ufeffreturn function(p) end",
    "for i = 1, 3 do print(i) end",
    "while true do end",
    "error('no')",
]
PROTOTXT = [
    "",
    "   \n# nothing but a comment: return function(p)",
    'name: "local x = 1"',
    'layer { name: "a" }  # return function(p)',
    '# require "nn"\nlayer <\n name: "a" >',
    "phase: TEST\nreturn function(p)",
    "layer",
    "return: 3",
    "name = 3",
    "a text that is neither",
]


@pytest.mark.parametrize("text", LUA)
def test_lua(text: str) -> None:
    assert is_lua(text)


@pytest.mark.parametrize("text", PROTOTXT)
def test_others(text: str) -> None:
    assert not is_lua(text)


@pytest.mark.parametrize("path", sorted((ROOT / "examples/prototxt").rglob("*.prototxt")))
def test_the_examples_are_prototxt(path: Path) -> None:
    assert not is_lua(path.read_text())


def test_the_first_statement() -> None:
    assert lua_position("-- a\nlocal net = 1") == 5

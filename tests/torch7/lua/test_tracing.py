"""Hooks as array operations."""

from __future__ import annotations

import pytest

from protonet.torch7.lua.definition import Limits, Params
from protonet.torch7.lua.results import hook_from_json, hook_to_json, traced
from protonet.torch7.lua.state import LuaMistakeError, State
from protonet.torch7.lua.tracing import METHODS, TRACED, Hook, HookStep


def hook(body: str) -> Hook:
    state = State(Params(), Limits())
    made = traced(state, state.run(f"return {{ function(input, dblabel)\n{body}\nend }}")[1])
    assert hook_from_json(hook_to_json(made)) == made
    return made


def steps(body: str) -> list[tuple[object, ...]]:
    return [(each.operation, each.inputs, each.constants) for each in hook(body).steps]


def test_the_arguments_themselves() -> None:
    assert hook("return dblabel") == Hook((), 1)
    assert hook("return dblabel:float():clone()").is_label
    assert hook("return input").result == 0
    assert hook("return { input, { dblabel, input } }").result == (0, (1, 0))


def test_the_hook_of_a_siamese_net() -> None:
    made = hook("dblabel[torch.eq(dblabel, 0)] = -1\nreturn dblabel")
    assert made.steps == (HookStep("eq", (1,), (0.0,)), HookStep("where", (2, 1), (-1.0,)))
    assert made.result == 3
    assert hook("dblabel[dblabel:eq(0)] = -1 return dblabel") == made
    assert hook("return dblabel:maskedFill(dblabel:eq(0), -1)") == made


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return input:select(2, 3)", [("select", (0,), (2, 3))]),
        ("return input:narrow(2, 1, 2)", [("narrow", (0,), (2, 1, 2))]),
        ("return input[{{}, {1, 2}, 3}]", [("narrow", (0,), (2, 1, 2)), ("select", (2,), (3, 3))]),
        ("return dblabel:view(-1, 4)", [("view", (1,), (-1, 4))]),
        ("return (dblabel + 1) * 2", [("add", (1,), (1.0,)), ("mul", (2,), (2.0,))]),
        ("return 1 - dblabel", [("mul", (1,), (-1.0,)), ("add", (2,), (1.0,))]),
        ("return 1 / dblabel", [("pow", (1,), (-1.0,)), ("mul", (2,), (1.0,))]),
        ("return -dblabel", [("mul", (1,), (-1.0,))]),
        ("return dblabel:add(2, input)", [("mul", (0,), (2.0,)), ("add", (1, 2), ())]),
        ("return torch.add(dblabel, input)", [("add", (1, 0), ())]),
        ("return torch.gt(input, dblabel)", [("gt", (0, 1), ())]),
        ("return torch.clamp(input, 0, 1)", [("clamp", (0,), (0.0, 1.0))]),
        ("return dblabel:mul(2):zero()", [("mul", (1,), (2.0,)), ("fill", (2,), (0.0,))]),
        ("return torch.abs(input)", [("abs", (0,), ())]),
    ],
)
def test_operations(body: str, expected: list[tuple[object, ...]]) -> None:
    assert steps(body) == expected


def test_functions_leave_their_argument() -> None:
    assert hook("local y = torch.add(dblabel, 1) return { dblabel, y }").result == (1, 2)
    assert hook("local y = dblabel:add(1) return { dblabel, y }").result == (2, 2)
    assert hook("local y = dblabel:clone():add(1) return { dblabel, y }").result == (1, 2)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("if dblabel:sum() > 1 then end", "labelHook cannot use sum"),
        ("for i = 1, dblabel:size(1) do end", "labelHook cannot use size"),
        ("if dblabel[1] == 2 then end", "cannot take single items of a batch, as t[i] does"),
        ("return dblabel:select(1, 2)", "cannot take single items of a batch; dimensions 2"),
        ("return dblabel:apply(function(x) return 1 end)", "labelHook cannot use apply"),
        ("dblabel[{{}, 1}] = 3", "can assign by masks only"),
        ("dblabel[dblabel:eq(1)] = input", "can assign numbers to masks, not a tensor"),
        ("return dblabel:cmul(torch.ones(3))", "can compute with its arguments and numbers only"),
        ("return 3", "it returned 3"),
        ("for i = 1, 2000 do dblabel:add(1) end", "labelHook does more than 1,000 operations"),
        ("dblabel:view(-1):fill(0)\nreturn dblabel", "changes a view of a tensor and uses"),
        ("return dblabel:nothing()", "attempt to call method 'nothing'"),
    ],
)
def test_what_needs_values_is_refused(body: str, told: str) -> None:
    with pytest.raises(LuaMistakeError) as caught:
        hook(body)
    assert told in caught.value.message
    assert caught.value.line in (1, 2, 3)


def test_every_function_has_its_method() -> None:
    assert set(TRACED) <= set(METHODS)

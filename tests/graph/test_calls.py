"""Prepared calls: which steps are called, in segments and in reverse."""

from __future__ import annotations

from collections.abc import Iterable

from protonet.device import Device
from protonet.graph.arrays import Arrays
from protonet.graph.calls import Call, Calls
from protonet.graph.memory import lay_out
from protonet.graph.plan import Plan
from tests.graph.nets import FAN_OUT, plan_of

FILTERS = """
layer { name: "in" type: "Input" top: "x" top: "on" input_param {
  shape { dim: 4 dim: 3 } shape { dim: 4 } } }
layer { name: "a" type: "Power" bottom: "x" top: "a" }
layer { name: "f" type: "Filter" bottom: "a" bottom: "on" top: "f" }
layer { name: "flat" type: "Flatten" bottom: "f" top: "flat" }
layer { name: "b" type: "Power" bottom: "flat" top: "b" }
"""


def names(steps: Iterable[tuple[int, list[Call]]]) -> list[str]:
    """The layers (or other functions) that are called."""
    return [
        getattr(call, "__self__", call).name if hasattr(call, "__self__") else call.__name__
        for _, calls in steps
        for call, _ in calls
    ]


def calls_of(plan: Plan, *, gradients: bool) -> Calls:
    """The calls of a plan on the CPU."""
    layout, device = lay_out(plan, gradients=gradients), Device()
    layers = [step.layer for step in plan.steps]
    return Calls(plan, layers, layout, Arrays(layout, device), device)


def test_a_segment_ends_where_a_dynamic_step_is_measured() -> None:
    measured: list[int] = []

    def follow(index: int) -> None:
        measured.append(index)

    first, second = calls_of(plan_of(FILTERS), gradients=False).forward(follow, follow)
    assert names(first) == ["a", "follow"]
    assert names(second) == ["f", "b"]
    index, [(call, arguments)] = first[-1]
    call(*arguments)
    assert index == 2
    assert measured == [2]


def test_without_dynamic_steps_there_is_one_segment() -> None:
    (only,) = calls_of(plan_of(FAN_OUT), gradients=True).forward(print, print)
    assert names(only) == ["base", "act", "left", "right", "join", "loss"]


def test_backward_writes_first_and_adds_later() -> None:
    """h has three consumers: the last one writes its gradient, two are added."""
    steps = dict(calls_of(plan_of(FAN_OUT), gradients=True).backward())
    assert list(steps) == [7, 6, 5, 4, 3, 2, 1]
    assert {at: len(calls) for at, calls in steps.items()} == {
        7: 0,
        6: 1,
        5: 1,
        4: 2,
        3: 2,
        2: 1,
        1: 1,
    }
    assert steps[4][1][0].__name__ == "add"

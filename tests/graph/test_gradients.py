"""Where gradients go, as Caffe decides it."""

from __future__ import annotations

from tests.graph.nets import SEED, plan_of


def test_only_what_a_loss_reaches_runs_backward() -> None:
    plan = plan_of(SEED + 'layer { name: "aside" type: "Power" bottom: "output" top: "aside" }')
    assert {step.name: step.runs_backward for step in plan.steps} == {
        "data": False, "scale": False, "hidden": True, "loss": True, "aside": False,
    }  # fmt: skip
    assert {value.name for value in plan.values if value.has_diff} == {"output", "loss"}


def test_force_backward_reaches_the_inputs() -> None:
    plan = plan_of("force_backward: true " + SEED)
    steps = {step.name: step for step in plan.steps}
    assert steps["scale"].wanted == (True,)
    assert plan.last["data"].has_diff


def test_frozen_parameters_and_propagate_down_end_the_way() -> None:
    frozen = SEED.replace(
        "inner_product_param", "param { lr_mult: 0 } param { lr_mult: 0 } inner_product_param"
    )
    assert not any(step.runs_backward for step in plan_of(frozen).steps)
    stopped = SEED.replace(
        'name: "loss"', 'name: "loss" propagate_down: false propagate_down: false'
    )
    assert not next(s for s in plan_of(stopped).steps if s.name == "hidden").runs_backward

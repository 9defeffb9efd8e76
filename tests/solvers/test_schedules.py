"""Learning-rate policies: their formulas, their edges, and what they refuse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from protonet.proto.caffe_pb2 import SolverParameter
from protonet.solvers.mistakes import SolverError
from protonet.solvers.schedules import Schedule, make_schedule, policy_names, register_policy


def schedule_of(lr_policy: str, **settings: Any) -> Schedule:
    return make_schedule(SolverParameter(base_lr=0.5, lr_policy=lr_policy, **settings))


def test_every_policy_of_caffe_and_its_forks_is_known() -> None:
    names = ["cosine", "exp", "fixed", "inv", "multifixed", "multistep", "poly", "sigmoid", "step"]
    assert policy_names() == [*names, "torch_sgd"]


@pytest.mark.parametrize(
    ("policy", "settings", "rates"),
    [
        ("fixed", {}, {0: 0.5, 10**6: 0.5}),
        ("step", {"gamma": 0.25, "stepsize": 3}, {0: 0.5, 2: 0.5, 3: 0.125, 6: 0.03125}),
        ("exp", {"gamma": 0.5}, {0: 0.5, 1: 0.25, 3: 0.0625}),
        ("inv", {"gamma": 3, "power": 0.5}, {0: 0.5, 1: 0.25, 5: 0.125}),
        (
            "multistep",
            {"gamma": 0.5, "stepvalue": [2, 5]},
            {0: 0.5, 1: 0.5, 2: 0.25, 4: 0.25, 5: 0.125, 99: 0.125},
        ),
        ("poly", {"power": 2, "max_iter": 4}, {0: 0.5, 1: 0.28125, 3: 0.03125, 4: 0, 9: 0}),
        (
            "cosine",
            {"max_iter": 6},
            {0: 0.5, 2: 0.375, 3: 0.25, 4: 0.125, 6: 0, 9: 0},
        ),
        # NVIDIA's: the square of the way to base_lr, then the policy as if nothing had been.
        (
            "step",
            {"gamma": 0.25, "stepsize": 3, "rampup_interval": 4, "rampup_lr": 0.1},
            {0: 0.1, 1: 0.125, 2: 0.2, 3: 0.325, 4: 0.125, 6: 0.03125},
        ),
        (
            "cosine",
            {"max_iter": 10, "rampup_interval": 4, "min_lr": 0.1},
            {0: 0.1, 2: 0.125, 4: 0.5, 6: 0.4, 7: 0.3, 10: 0.1, 12: 0.1},
        ),
        (
            "poly",
            {"power": 2, "max_iter": 4, "min_lr": 0.1},
            {0: 0.5, 2: 0.2, 4: 0.1, 9: 0.1},
        ),
        ("exp", {"gamma": 0.5, "min_lr": 0.1}, {0: 0.5, 2: 0.125, 3: 0.1}),
        (
            "sigmoid",
            {"gamma": math.log(3), "stepsize": 2},
            {1: 0.125, 2: 0.25, 3: 0.375},
        ),
    ],
)
def test_rates(policy: str, settings: dict[str, Any], rates: dict[int, float]) -> None:
    schedule = schedule_of(policy, **settings)
    for iteration, rate in rates.items():
        assert schedule.rate(iteration) == pytest.approx(rate, rel=1e-6)


def test_the_steps_that_a_state_stores() -> None:
    # After 3 iterations, of which the last was number 2, no step of size 3 has been taken.
    step = schedule_of("step", gamma=0.1, stepsize=3)
    assert [step.current_step(done) for done in (0, 1, 3, 4, 7)] == [0, 0, 0, 1, 2]
    multistep = schedule_of("multistep", gamma=0.1, stepvalue=[2, 5])
    assert [multistep.current_step(done) for done in (0, 2, 3, 5, 6)] == [0, 0, 1, 1, 2]
    assert schedule_of("fixed").current_step(7) == 0


def test_of_two_equal_stepvalues_the_second_comes_one_later() -> None:
    schedule = schedule_of("multistep", gamma=0.5, stepvalue=[0, 3, 3, 4])
    assert [schedule.rate(i) for i in range(7)] == [
        0.25, 0.25, 0.25, 0.125, 0.0625, 0.03125, 0.03125,
    ]  # fmt: skip


def test_far_ends_are_numbers_not_failures() -> None:
    sigmoid = schedule_of("sigmoid", gamma=10, stepsize=1000)
    assert sigmoid.rate(0) == 0
    assert sigmoid.rate(10**6) == 0.5
    assert schedule_of("sigmoid", gamma=1, stepsize=720).rate(0) == pytest.approx(
        0.5 * math.exp(-720), rel=1e-6
    )
    assert schedule_of("exp", gamma=2).rate(10**6) == math.inf
    assert schedule_of("exp", gamma=0).rate(1) == 0
    assert schedule_of("poly", power=-1, max_iter=4).rate(4) == math.inf


@pytest.mark.parametrize(
    ("policy", "settings", "path", "message"),
    [
        ("step", {"stepsize": 3}, (), "lr_policy 'step' needs gamma"),
        ("step", {"gamma": 0.1}, (), "lr_policy 'step' needs stepsize"),
        (
            "step",
            {"gamma": 0.1, "stepsize": 0},
            ("stepsize",),
            "lr_policy 'step' needs stepsize above 0, got 0",
        ),
        (
            "exp",
            {"gamma": -0.5},
            ("gamma",),
            "lr_policy 'exp' needs gamma of at least 0, got -0.5",
        ),
        (
            "exp",
            {"gamma": math.nan},
            ("gamma",),
            "lr_policy 'exp' needs gamma of at least 0, got nan",
        ),
        ("inv", {"gamma": 1}, (), "lr_policy 'inv' needs power"),
        ("multistep", {"gamma": 1}, (), "lr_policy 'multistep' needs one stepvalue or more"),
        (
            "multistep",
            {"gamma": 1, "stepvalue": [2, 5, 3]},
            ("stepvalue", 2),
            "stepvalue must ascend, got 3 after 5",
        ),
        (
            "poly",
            {"power": 1, "max_iter": -1},
            ("max_iter",),
            "lr_policy 'poly' needs max_iter above 0, got -1",
        ),
        ("cosine", {}, (), "lr_policy 'cosine' needs max_iter"),
        (
            "fixed",
            {"min_lr": 1},
            ("min_lr",),
            "min_lr must be at most base_lr 0.5, got 1",
        ),
        (
            "fixed",
            {"rampup_interval": -1},
            ("rampup_interval",),
            "rampup_interval must be at least 0 and finite, got -1",
        ),
        ("sigmoid", {"gamma": 1}, (), "lr_policy 'sigmoid' needs stepsize"),
        (
            "multi_step",
            {},
            ("lr_policy",),
            "unknown lr_policy 'multi_step'; did you mean 'multistep'?",
        ),
    ],
)
def test_fields_that_are_missing_or_cannot_be(
    policy: str, settings: dict[str, Any], path: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(SolverError) as caught:
        schedule_of(policy, **settings)
    (finding,) = caught.value.findings
    assert (finding.path, finding.message) == (path, message)


def test_all_mistakes_at_once() -> None:
    with pytest.raises(SolverError) as caught:
        make_schedule(SolverParameter(lr_policy="step"))
    assert [str(mistake) for mistake in caught.value.mistakes] == [
        "solver: base_lr is missing",
        "solver: lr_policy 'step' needs gamma",
        "solver: lr_policy 'step' needs stepsize",
    ]
    with pytest.raises(SolverError, match=r"lr_policy is missing\n    the policies are cosine"):
        make_schedule(SolverParameter(base_lr=1))


def test_a_policy_is_registered_once() -> None:
    with pytest.raises(ValueError, match="lr_policy 'step' is registered twice"):
        register_policy("step")(Schedule)


@pytest.mark.parametrize("policy", ["poly", "cosine"])
def test_a_solver_that_only_tests_needs_no_end(policy: str) -> None:
    assert schedule_of(policy, power=2, max_iter=0).rate(0) == 0.5


def test_stages_end_with_their_iteration() -> None:
    # Intel's fork, sgd_solver.cpp: the first stage whose stageiter is not passed, else the last.
    solver = SolverParameter(
        lr_policy="multifixed", stagelr=[0.5, 0.25, 0.125], stageiter=[2, 3, 7]
    )
    schedule = make_schedule(solver)
    rates = [schedule.rate(i) for i in range(9)]
    assert rates == [0.5, 0.5, 0.5, 0.25, 0.125, 0.125, 0.125, 0.125, 0.125]


@pytest.mark.parametrize(
    ("settings", "told"), [({}, "0 stagelr and 0"), ({"stagelr": [0.5, 1]}, "2 stagelr and 0")]
)
def test_stages_need_their_ends(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(SolverError, match=f"a stageiter for each stagelr, got {told} stageiter"):
        make_schedule(SolverParameter(lr_policy="multifixed", **settings))


def test_the_warm_up_of_intels_fork_is_straight() -> None:
    schedule = schedule_of("fixed", warmup_iter=4, warmup_start_lr=0.1)
    np.testing.assert_allclose(
        [schedule.rate(i) for i in range(6)], [0.1, 0.2, 0.3, 0.4, 0.5, 0.5], rtol=1e-6
    )
    with pytest.raises(SolverError, match="rampup_interval and warmup_iter are both given"):
        schedule_of("fixed", warmup_iter=4, rampup_interval=3)


def test_torch7_s_policy_decays_slowly() -> None:
    solver = SolverParameter(base_lr=0.5, lr_policy="torch_sgd")
    schedule = make_schedule(solver)
    assert [schedule.rate(n) for n in (0, 1_000_000)] == [0.5, 0.25]
    solver.learning_rate_decay = 0.25
    assert make_schedule(solver).rate(4) == 0.25
    solver.learning_rate_decay = 0
    assert make_schedule(solver).rate(4) == 0.5

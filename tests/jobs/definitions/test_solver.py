"""The solver that DIGITS would write."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protonet.errors import NetworkError, UsageError
from protonet.jobs.definitions.solver import check_settings, make_solver, rate_curve, settled
from protonet.jobs.run.settings import RunSettings
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.solvers.check import check_solver
from protonet.solvers.schedules import make_schedule


def solver_of(train: tuple[int, int] = (1000, 16), **given: Any) -> SolverParameter:
    return make_solver(RunSettings(Path("data"), **given), train, (30, 16))


def test_defaults() -> None:
    solver = solver_of()
    assert solver.max_iter == 30 * 63
    assert solver.snapshot == solver.test_interval == 63
    assert list(solver.test_iter) == [2]
    assert solver.display == 7
    assert (solver.lr_policy, list(solver.stepvalue)) == ("multistep", [945, 1607])
    assert solver.gamma == pytest.approx(0.5)
    assert solver.momentum == pytest.approx(0.9)
    assert solver.weight_decay == pytest.approx(0.0001)
    assert list(solver.train_state.stage) == ["train"]
    assert list(solver.test_state[0].stage) == ["val"]


def test_a_large_set_displays_every_5000_images() -> None:
    assert solver_of((1_000_000, 100)).display == 50


def test_without_validation_there_are_no_tests() -> None:
    solver = make_solver(RunSettings(Path("data")), (10, 4), None)
    assert not solver.test_iter
    assert not solver.test_interval


@pytest.mark.parametrize(
    ("policy", "field", "value"),
    [
        ("multistep", "stepvalue", [945, 1607]),
        ("sigmoid", "stepsize", 945),
        ("step", "stepsize", 624),
        ("exp", "gamma", 0.95 ** (1 / 18.9)),
        ("inv", "gamma", 0.1 / 18.9),
        ("sigmoid", "gamma", -0.1 / 18.9),
        ("inv", "power", 0.5),
        ("poly", "power", 3.0),
        ("fixed", "base_lr", 0.01),
    ],
)
def test_every_policy_is_complete(policy: str, field: str, value: Any) -> None:
    solver = solver_of(lr_policy=policy)
    found = getattr(solver, field)
    assert list(found) == value if isinstance(value, list) else found == pytest.approx(value)
    assert make_schedule(solver).rate(0) > 0


@pytest.mark.parametrize(
    ("policy", "last"),
    [
        ("step", 0.001), ("multistep", 0.25), ("exp", 0.95**100), ("inv", 11**-0.5),
        ("sigmoid", 1 / (1 + math.exp(0.1 * 50))),
    ],
)  # fmt: skip
@pytest.mark.parametrize("epochs", [2.0, 60.0])
def test_a_long_training_ends_at_the_rate_of_a_short_one(
    policy: str, last: float, epochs: float
) -> None:
    """DIGITS' form promises a curve over the training, however many iterations that has."""
    solver = solver_of(lr_policy=policy, epochs=epochs)
    rate = make_schedule(solver).rate(solver.max_iter) / 0.01
    assert rate == pytest.approx(last, rel=0.02)


def test_given_values_win() -> None:
    solver = solver_of(lr_policy="multistep", steps=(75.0, 25.0), gamma=0.25, weight_decay=0.0)
    assert list(solver.stepvalue) == [473, 1418]
    assert solver.gamma == 0.25
    assert solver.weight_decay == 0
    assert solver.HasField("weight_decay")


def test_solvers_that_take_no_momentum_get_none() -> None:
    assert not solver_of(solver="AdaGrad").HasField("momentum")
    assert solver_of(solver="Nesterov").momentum == pytest.approx(0.9)


def test_accumulated_batches_make_one_iteration() -> None:
    solver = solver_of(accumulation=4)
    assert solver.iter_size == 4
    assert solver.snapshot == solver.test_interval == 16
    assert solver.max_iter == 30 * 16
    assert not solver_of().HasField("iter_size")


def test_intervals_are_epochs() -> None:
    solver = solver_of(snapshot_every=2.0, val_every=0.5)
    assert (solver.snapshot, solver.test_interval) == (126, 32)
    never = solver_of(snapshot_every=0.0, val_every=0.0)
    assert (never.snapshot, never.test_interval, list(never.test_iter)) == (0, 0, [])


@pytest.mark.parametrize("epochs", [4e7, 1e300, 1.7e308])
def test_more_epochs_than_a_solver_counts_iterations(epochs: float) -> None:
    with pytest.raises(UsageError, match=r"a solver counts at most 2147483647; 34087042 epochs"):
        solver_of(epochs=epochs)
    assert solver_of(epochs=34087042).max_iter == 34087042 * 63


def test_intervals_longer_than_any_training() -> None:
    solver = solver_of(snapshot_every=1e300, val_every=1.7e308)
    assert solver.snapshot == solver.test_interval == 2**31 - 1


def test_a_policy_takes_the_steps_that_are_given() -> None:
    assert solver_of(lr_policy="sigmoid", steps=(10.0,)).stepsize == 189


def test_the_drops_of_step_are_those_of_digits() -> None:
    """A step of 33 percent, rounded up: the third drop is a hundredth before the end."""
    solver = solver_of((100, 50), lr_policy="step", epochs=100.0)
    schedule = make_schedule(solver)
    drops = [at for at in range(1, 200) if schedule.rate(at) < schedule.rate(at - 1)]
    assert drops == [66, 132, 198]
    assert solver_of((100, 50), lr_policy="step", epochs=50.5).stepsize == 34  # 33.33


LUA = "return function(p) return { model = nn.Linear(2, 2) } end"


def test_networks_of_torch7_are_trained_as_digits_did() -> None:
    settings = settled(RunSettings(Path("data")), LUA)
    solver = make_solver(settings, (101, 10), None)
    assert (solver.type, solver.lr_policy, solver.max_iter) == ("TorchSGD", "torch_sgd", 330)
    assert solver.momentum == pytest.approx(0.9)
    assert solver.weight_decay == pytest.approx(1e-4)
    assert not solver.HasField("dampening")
    assert make_schedule(solver).rate(1000) == pytest.approx(0.01 / 1.001)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("SGD", "TorchSGD"),
        ("Nesterov", "TorchNAG"),
        ("TorchNAG", "TorchNAG"),
        ("Adam", "TorchAdam"),
        ("AdaGrad", "TorchAdaGrad"),
        ("RMSProp", "TorchRMSProp"),
        ("AdaDelta", "TorchAdaDelta"),
        ("AdamW", "AdamW"),
    ],
)
def test_update_rules_of_a_definition_are_those_of_optim(name: str, expected: str) -> None:
    given = RunSettings(Path("data"), solver=name, lr_policy="step", weight_decay=0.5)
    settings = settled(given, LUA)
    assert (settings.solver, settings.lr_policy, settings.weight_decay) == (expected, "step", 0.5)
    solver = make_solver(settings, (100, 10), None)
    check_solver(solver)
    assert make_schedule(solver).rate(0) == make_schedule(solver).rate(98)


def test_networks_of_caffe_keep_their_rules() -> None:
    given = RunSettings(Path("data"))
    assert settled(given, 'layer { name: "x" }') == replace(given, lr_policy="multistep")


def test_the_policy_of_torch7_takes_no_steps() -> None:
    with pytest.raises(UsageError, match="'torch_sgd' takes no steps"):
        settled(RunSettings(Path("data"), steps=(50.0,)), LUA)


def check(text: str = "", **given: Any) -> None:
    check_settings(RunSettings(Path("d"), **given), text, 60, 6)


def test_settings_that_go_with_a_network() -> None:
    lua = "return function(p) return {} end"
    check()
    check(lua, torch7_snapshots=True, dampening=0.5)
    check(solver="Adam", momentum2=0.9)


def test_settings_that_do_not() -> None:
    with pytest.raises(UsageError, match="dampening is no constant of SGD, but of TorchSGD"):
        check(dampening=0.5)
    with pytest.raises(UsageError, match="the network: is no Lua text"):
        check(torch7_snapshots=True)
    with pytest.raises(UsageError, match="a solver counts at most"):
        check(epochs=1e12)
    with pytest.raises(NetworkError, match="unknown type 'Magic'"):
        check(solver="Magic")


def test_the_curve_is_as_long_as_the_images_say() -> None:
    settings = RunSettings(Path(), lr=0.25, steps=(50.0,), gamma=0.5, epochs=2.0, batch_size=5)
    curve = rate_curve(settings, 50)
    assert [curve.points[at] for at in (0, -1)] == [(0, 0.25), (19, 0.125)]
    epochs = rate_curve(settings, None)
    assert epochs.x == "epoch"
    assert epochs.points[-1] == (pytest.approx(2, abs=0.01), 0.125)

"""The solver for a run's settings, as DIGITS writes it."""

from __future__ import annotations

import math
from collections.abc import Callable

from protonet.errors import UsageError
from protonet.jobs.run.settings import MOST_ITERATIONS, RunSettings, weight_files
from protonet.proto.caffe_pb2 import SolverParameter

PREFIX = "snapshot"
"""The snapshot_prefix inside a run directory."""

_USUAL: dict[str, dict[str, float | tuple[float, ...]]] = {
    "fixed": {},
    "step": {"gamma": 0.1, "steps": (33.0,)},
    "multistep": {"gamma": 0.5, "steps": (50.0, 85.0)},
    "exp": {"gamma": 0.95},
    "inv": {"gamma": 0.1, "power": 0.5},
    "poly": {"power": 3.0},
    "cosine": {},
    "sigmoid": {"gamma": 0.1, "steps": (50.0,)},
}
"""DIGITS' defaults of each policy."""

_SCALED: dict[str, Callable[[float, float], float]] = {
    "exp": lambda gamma, share: gamma ** (1 / share),
    "inv": lambda gamma, share: gamma / share,
    "sigmoid": lambda gamma, share: -gamma / share,
}
"""Gamma per iteration from gamma per percent of the training, of ``share`` iterations, so that the
rate decays as far in a long training as in a short one (DIGITS, tools/train_caffe).
"""

_WITHOUT_MOMENTUM = ("AdaGrad", "RMSProp")


def make_solver(
    settings: RunSettings,
    train: tuple[int, int],
    val: tuple[int, int] | None,
) -> SolverParameter:
    """The solver for (records, batch size) of training and validation.

    Iterations per epoch are ceil(records / (batch * accumulation)); snapshots and tests come every
    epoch or as set; steps are percentages of the training, and gamma of exp, inv and sigmoid is per
    percent of it; there are eight displays per epoch, or one per 5,000 images if more frequent.
    """
    records, batch = train
    images = batch * settings.accumulation
    per_epoch = math.ceil(records / images)
    solver = SolverParameter(
        net="train_val.prototxt",
        type=settings.solver,
        base_lr=settings.lr,
        lr_policy=settings.lr_policy,
        weight_decay=settings.lr / 100 if settings.weight_decay is None else settings.weight_decay,
        display=max(1, min(per_epoch // 8, 5000 // images)),
        snapshot=_iterations(settings.snapshot_every, per_epoch),
        snapshot_prefix=PREFIX,
        random_seed=settings.seed,
        solver_mode=SolverParameter.CPU if settings.device == "cpu" else SolverParameter.GPU,
    )
    if settings.accumulation > 1:
        solver.iter_size = settings.accumulation
    if settings.solver not in _WITHOUT_MOMENTUM:
        solver.momentum = settings.momentum
    solver.train_state.stage.append("train")
    if val is not None and settings.val_every:
        solver.test_iter.append(math.ceil(val[0] / val[1]))
        solver.test_interval = _iterations(settings.val_every, per_epoch)
        solver.test_state.add().stage.append("val")
    solver.weights.extend(weight_files(settings.weights))
    set_length(solver, settings, per_epoch)
    settings.apply_rates(solver)
    return solver


def set_length(solver: SolverParameter, settings: RunSettings, per_epoch: int) -> None:
    """Set the length of the training, and the learning-rate schedule scaled to it.

    Raises:
        UsageError: for more iterations than a solver counts; the solver is unchanged.
    """
    iterations = settings.epochs * per_epoch
    if iterations > MOST_ITERATIONS:
        fitting = MOST_ITERATIONS // per_epoch
        advice = f"; {fitting} epochs would work" if fitting else ""
        raise UsageError(
            f"{settings.epochs:g} epochs are {iterations:g} iterations, and a solver counts at "
            f"most {MOST_ITERATIONS}{advice}"
        )
    solver.max_iter = max(1, round(iterations))
    for name in ("gamma", "power", "stepsize", "stepvalue"):
        solver.ClearField(name)
    _set_policy(solver, settings)


def _iterations(epochs: float, per_epoch: int) -> int:
    """Epochs as iterations: at least one, unless epochs is 0."""
    return max(1, round(min(epochs * per_epoch, MOST_ITERATIONS))) if epochs else 0


def _set_policy(solver: SolverParameter, settings: RunSettings) -> None:
    """Fill in the fields of the policy; an unknown policy is refused by the schedule."""
    usual = _USUAL.get(settings.lr_policy, {})
    for name in ("gamma", "power"):
        given = getattr(settings, name)
        if given is not None:
            setattr(solver, name, given)
        elif name in usual:
            setattr(solver, name, usual[name])
    share = solver.max_iter / 100
    if settings.lr_policy in _SCALED:
        solver.gamma = _SCALED[settings.lr_policy](solver.gamma, share)
    if "steps" not in usual:
        return
    percents = settings.steps or usual["steps"]
    assert isinstance(percents, tuple)
    steps = [max(1, math.ceil(share * percent)) for percent in percents]
    if settings.lr_policy == "multistep":
        solver.stepvalue.extend(sorted(steps))
    else:
        solver.stepsize = steps[0]

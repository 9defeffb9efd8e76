"""The solver for a run's settings, as DIGITS writes it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from protonet.errors import UsageError
from protonet.jobs.run.bounds import MOST_ITERATIONS
from protonet.jobs.run.settings import DEFAULT_BATCH, RunSettings, weight_files
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.proto.language import is_lua
from protonet.solvers.check import check_solver
from protonet.solvers.rate_curve import Curve, solver_curve
from protonet.solvers.update_rule import RULES

PREFIX = "snapshot"
"""The snapshot_prefix inside a run directory."""

DEFAULT_POLICY = "multistep"
"""For networks of Caffe."""

_UNKNOWN = 1000
"""Iterations of a learning-rate curve if their number is unknown."""

_USUAL: dict[str, dict[str, float | tuple[float, ...]]] = {
    "fixed": {},
    "step": {"gamma": 0.1, "steps": (33.0,)},
    "multistep": {"gamma": 0.5, "steps": (50.0, 85.0)},
    "exp": {"gamma": 0.95},
    "inv": {"gamma": 0.1, "power": 0.5},
    "poly": {"power": 3.0},
    "cosine": {},
    "torch_sgd": {},
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

_WITHOUT_MOMENTUM = ("AdaGrad", "RMSProp", "TorchAdaGrad", "TorchRMSProp")

CONSTANTS = ("momentum2", "rms_decay", "delta", "dampening")
"""Settings that only some update rules have."""

_OF_TORCH = {
    name: f"Torch{name}" for name in ("SGD", "NAG", "Adam", "AdaGrad", "RMSProp", "AdaDelta")
} | {"Nesterov": "TorchNAG"}
"""The update rules of optim by the names of Caffe's."""

_TORCH_DECAY = 1e-4
"""The weight decay of DIGITS for Torch7."""


def settled(settings: RunSettings, text: str) -> RunSettings:
    """The settings for a network's text, with the policy that is meant.

    For a definition of Torch7 the update rule is optim's of the same name, and the defaults are
    those of DIGITS' Torch wrapper (tools/torch/main.lua).
    """
    if not is_lua(text):
        return replace(settings, lr_policy=settings.lr_policy or DEFAULT_POLICY)
    decay = settings.weight_decay
    return replace(
        settings,
        solver=_OF_TORCH.get(settings.solver, settings.solver),
        lr_policy=settings.lr_policy or "torch_sgd",
        weight_decay=_TORCH_DECAY if decay is None else decay,
    )


def rate_curve(settings: RunSettings, images: int | None) -> Curve:
    """The learning rate of a training on so many images.

    Without their number, that of iterations is unknown: then the curve is over epochs, without the
    warm-up, which is in iterations.

    Raises:
        SolverError: for invalid settings.
        UsageError: for more iterations than a solver can count.
    """
    if images is None:
        known = replace(settings, epochs=1.0, warmup=0, accumulation=1)
        length = (_UNKNOWN, 1)
    else:
        known, length = settings, (images, settings.batch_size or DEFAULT_BATCH)
    try:
        solver = make_solver(known, length, None)
    except ValueError:
        raise UsageError("more iterations than a solver can count (2,147,483,647)") from None
    if images is not None:
        return solver_curve(solver)
    scale = settings.epochs / solver.max_iter
    return Curve("epoch", [(at * scale, rate) for at, rate in solver_curve(solver).points])


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
        lr_policy=settings.lr_policy or DEFAULT_POLICY,
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
    _set_constants(solver, settings)
    solver.train_state.stage.append("train")
    if val is not None and settings.val_every:
        solver.test_iter.append(math.ceil(val[0] / val[1]))
        solver.test_interval = _iterations(settings.val_every, per_epoch)
        solver.test_state.add().stage.append("val")
    solver.weights.extend(weight_files(settings.weights))
    set_length(solver, settings, per_epoch)
    settings.apply_rates(solver)
    return solver


def _set_constants(solver: SolverParameter, settings: RunSettings) -> None:
    """Set the constants of the update rule that are given.

    Raises:
        UsageError: for those that the rule does not have.
    """
    own = RULES[settings.solver].constants if settings.solver in RULES else CONSTANTS
    for name in CONSTANTS:
        value = getattr(settings, name)
        if value is None:
            continue
        if name not in own:
            users = _users_of(name, settings.solver)
            raise UsageError(
                f"{name.replace('_', ' ')} is no constant of {settings.solver}, but of "
                f"{', '.join(users)}"
            )
        setattr(solver, name, value)
    for name in ("learning_rate_decay", "clip_gradients"):
        value = getattr(settings, name)
        if value is not None:
            setattr(solver, name, value)
    if settings.regularization != "L2":
        solver.regularization_type = settings.regularization


def constants_of(solver: str, text: str = "") -> tuple[str, ...]:
    """The names in ``CONSTANTS`` that an update rule has, for a network of this text."""
    name = _OF_TORCH.get(solver, solver) if is_lua(text) else solver
    own = RULES[name].constants if name in RULES else ()
    return tuple(each for each in CONSTANTS if each in own)


def _users_of(constant: str, solver: str) -> list[str]:
    """The update rules that have a constant: those of the same software, Caffe's or Torch7's, or
    all if none of them has it.
    """
    users = [name for name in RULES if constant in RULES[name].constants]
    torch = solver.startswith("Torch")
    return [name for name in users if name.startswith("Torch") == torch] or users


def check_settings(settings: RunSettings, text: str, images: int, batch_size: int) -> None:
    """Refuse settings that the training of a network on so many images would refuse.

    Raises:
        UsageError, NetworkError: for a solver that cannot be, and for .t7 snapshots of a prototxt.
    """
    if settings.torch7_snapshots:
        refuse_torch7_snapshots(text, "the network")
    check_solver(make_solver(settled(settings, text), (images, batch_size), None))


def refuse_torch7_snapshots(text: str, name: str) -> None:
    """Refuse snapshots as .t7 files of a text that has no modules.

    Raises:
        UsageError: for a prototxt.
    """
    if not is_lua(text):
        raise UsageError(
            f"{name}: is no Lua text; --torch7-snapshots (snapshots as .t7) writes modules of "
            "Torch7"
        )


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
    policy = settings.lr_policy or DEFAULT_POLICY
    usual = _USUAL.get(policy, {})
    for name in ("gamma", "power"):
        given = getattr(settings, name)
        if given is not None:
            setattr(solver, name, given)
        elif name in usual:
            setattr(solver, name, usual[name])
    share = solver.max_iter / 100
    if policy in _SCALED:
        solver.gamma = _SCALED[policy](solver.gamma, share)
    if "steps" not in usual:
        return
    percents = settings.steps or usual["steps"]
    assert isinstance(percents, tuple)
    steps = [max(1, math.ceil(share * percent)) for percent in percents]
    if policy == "multistep":
        solver.stepvalue.extend(sorted(steps))
    else:
        solver.stepsize = steps[0]

"""Learning-rate schedules: the rate as a pure function of the iteration.

Formulas and names are those of Caffe's ``SGDSolver::GetLearningRate``; the warm-up
(``rampup_interval``, ``rampup_lr``) and ``min_lr`` are those of NVIDIA's fork 0.17; the linear
warm-up (``warmup_iter``, ``warmup_start_lr``) and ``multifixed`` those of Intel's (sgd_solver.cpp).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from protonet.errors import nearest
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.registry import Registry
from protonet.solvers.mistakes import Finding, SolverError

POLICIES: Registry[type[Schedule]] = Registry("lr_policy", "policy")

register_policy = POLICIES.register
"""Class decorator: make a schedule known as an ``lr_policy``; a second one is refused."""


def policy_names() -> list[str]:
    """The names of all policies, sorted."""
    return POLICIES.names()


def make_schedule(solver: SolverParameter) -> Schedule:
    """The schedule that the solver's ``lr_policy`` names.

    Raises:
        SolverError: for an unknown policy, or missing or invalid fields; all mistakes at once.
    """
    findings = list(schedule_findings(solver))
    if findings:
        raise SolverError(findings)
    return POLICIES[solver.lr_policy].read(solver)


def schedule_findings(solver: SolverParameter) -> Iterable[Finding]:
    """All mistakes in the fields of the learning-rate schedule."""
    needs_base = solver.lr_policy not in POLICIES or POLICIES[solver.lr_policy].needs_base
    if needs_base and not solver.HasField("base_lr"):
        yield Finding(("base_lr",), "base_lr is missing")
    known = f"the policies are {', '.join(policy_names())}"
    if not solver.HasField("lr_policy"):
        yield Finding(("lr_policy",), "lr_policy is missing", known)
    elif solver.lr_policy not in POLICIES:
        guess = nearest(solver.lr_policy, POLICIES)
        yield Finding(("lr_policy",), f"unknown lr_policy '{solver.lr_policy}'{guess}", known)
    else:
        for name in POLICIES[solver.lr_policy].fields:
            finding = _check(solver, name)
            if finding is not None:
                yield finding
    yield from _check_ends(solver)


def _check(solver: SolverParameter, name: str) -> Finding | None:
    """The mistake in a field of the solver's policy, if any."""
    policy = f"lr_policy '{solver.lr_policy}'"
    if name == "stepvalue":
        steps = list(solver.stepvalue)
        if not steps:
            return Finding((), f"{policy} needs one stepvalue or more")
        for index in range(1, len(steps)):
            if steps[index] < steps[index - 1]:
                return Finding(
                    ("stepvalue", index),
                    f"stepvalue must ascend, got {steps[index]} after {steps[index - 1]}",
                )
        return None
    if name in ("stagelr", "stageiter"):
        return _check_stages(solver, name)
    if not solver.HasField(name):
        return Finding((), f"{policy} needs {name}")
    value = getattr(solver, name)
    if name == "max_iter" and value == 0:
        return None  # a solver that only tests uses no rate
    if name in ("stepsize", "max_iter") and value <= 0:
        return Finding((name,), f"{policy} needs {name} above 0, got {value}")
    # a sigmoid falls with gamma below 0, as DIGITS writes it
    if name == "gamma" and not value >= 0 and solver.lr_policy != "sigmoid":
        return Finding((name,), f"{policy} needs gamma of at least 0, got {value:g}")
    return None


def _check_stages(solver: SolverParameter, name: str) -> Finding | None:
    """The mistake in the stages of ``multifixed``; reported once, at ``stagelr``."""
    rates, ends = len(solver.stagelr), len(solver.stageiter)
    if name == "stageiter" or (rates == ends and rates):
        return None
    return Finding(
        ("stagelr", 0) if rates else (),
        f"lr_policy 'multifixed' needs a stageiter for each stagelr, got {rates} stagelr and "
        f"{ends} stageiter",
    )


def _check_ends(solver: SolverParameter) -> Iterable[Finding]:
    """The mistakes in warm-up, ``min_lr`` and ``learning_rate_decay``."""
    if solver.rampup_interval and solver.warmup_iter:
        yield Finding(("warmup_iter",), "rampup_interval and warmup_iter are both given")
    for name in (
        *("rampup_interval", "rampup_lr", "min_lr", "warmup_iter", "warmup_start_lr"),
        "learning_rate_decay",
    ):
        value = getattr(solver, name)
        if not 0 <= value < math.inf:
            yield Finding((name,), f"{name} must be at least 0 and finite, got {value:g}")
    if solver.HasField("base_lr") and solver.min_lr > solver.base_lr:
        yield Finding(
            ("min_lr",),
            f"min_lr must be at most base_lr {solver.base_lr:g}, got {solver.min_lr:g}",
        )


@dataclass(frozen=True)
class Schedule:
    """The learning rate of each iteration, counted from 0: ``base_lr * factor(iteration)``.

    It is divided by ``1 + decay * iteration``: the learningRateDecay of Torch7's optim.

    Before iteration ``warmup`` it rises from ``warmup_lr`` to ``base_lr`` as a power of the
    iteration, ``warmup_power``. It never falls below ``min_lr``.

    A policy is a subclass whose attributes are the fields of SolverParameter that it reads, all of
    them required.
    """

    policy: ClassVar[str]
    fields: ClassVar[tuple[str, ...]] = ()
    ends_at_floor: ClassVar[bool] = False
    """Whether a factor of 0 gives ``min_lr`` instead of 0."""
    needs_base: ClassVar[bool] = True
    base_lr: float
    warmup: int = field(default=0, kw_only=True)
    warmup_lr: float = field(default=0.0, kw_only=True)
    warmup_power: int = field(default=2, kw_only=True)
    min_lr: float = field(default=0.0, kw_only=True)
    decay: float = field(default=0.0, kw_only=True)

    @classmethod
    def read(cls, solver: SolverParameter) -> Schedule:
        """Make the schedule from a checked solver."""
        values = [getattr(solver, name) for name in cls.fields]
        linear = bool(solver.warmup_iter)
        decay = {"decay": solver.learning_rate_decay}
        return cls(
            solver.base_lr,
            *(v if isinstance(v, int | float) else tuple(v) for v in values),
            warmup=solver.warmup_iter if linear else solver.rampup_interval,
            warmup_lr=solver.warmup_start_lr if linear else solver.rampup_lr,
            warmup_power=1 if linear else 2,
            min_lr=solver.min_lr,
            **(decay if solver.HasField("learning_rate_decay") else {}),
        )

    def rate(self, iteration: int) -> float:
        """The learning rate; infinite on overflow."""
        if iteration < self.warmup:
            risen = (iteration / self.warmup) ** self.warmup_power
            return max(self.min_lr, self.warmup_lr + (self.base_lr - self.warmup_lr) * risen)
        floor = self.min_lr if self.ends_at_floor else 0.0
        try:
            rate = floor + (self.base_lr - floor) * self.factor(iteration)
        except (OverflowError, ZeroDivisionError):
            return math.inf
        return max(self.min_lr, rate / (1 + self.decay * iteration))

    def factor(self, iteration: int) -> float:
        """The factor of ``base_lr``."""
        raise NotImplementedError

    def current_step(self, iteration: int) -> int:
        """The number of steps that the rate has taken after ``iteration`` iterations.

        Stored in a .solverstate; 0 for all policies but step and multistep.
        """
        return 0


@register_policy("fixed")
@dataclass(frozen=True)
class Fixed(Schedule):
    """Always ``base_lr``."""

    def factor(self, iteration: int) -> float:
        return 1.0


@register_policy("torch_sgd")
@dataclass(frozen=True)
class TorchSGD(Fixed):
    """``1 / (1 + learning_rate_decay * iteration)``, with 1e-6 unless another decay is given: the
    default policy of DIGITS for Torch7.
    """

    decay: float = field(default=1e-6, kw_only=True)


@register_policy("step")
@dataclass(frozen=True)
class Step(Schedule):
    """``gamma ^ floor(iteration / stepsize)``."""

    fields = ("gamma", "stepsize")
    gamma: float
    stepsize: int

    def factor(self, iteration: int) -> float:
        return float(self.gamma ** (iteration // self.stepsize))

    def current_step(self, iteration: int) -> int:
        # Caffe stores the step of the last iteration, not of the next.
        return max(iteration - 1, 0) // self.stepsize


@register_policy("exp")
@dataclass(frozen=True)
class Exponential(Schedule):
    """``gamma ^ iteration``."""

    fields = ("gamma",)
    gamma: float

    def factor(self, iteration: int) -> float:
        return float(self.gamma**iteration)


@register_policy("inv")
@dataclass(frozen=True)
class Inverse(Schedule):
    """``(1 + gamma * iteration) ^ -power``."""

    fields = ("gamma", "power")
    gamma: float
    power: float

    def factor(self, iteration: int) -> float:
        return float((1 + self.gamma * iteration) ** -self.power)


@register_policy("multistep")
@dataclass(frozen=True)
class MultiStep(Schedule):
    """``gamma ^ k`` after the k-th ``stepvalue`` is reached."""

    fields = ("gamma", "stepvalue")
    gamma: float
    stepvalue: tuple[int, ...]

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        """The iteration at which each step is taken.

        Caffe takes at most one per iteration: of two equal values, the second comes one later.
        """
        starts: list[int] = []
        for value in self.stepvalue:
            starts.append(max(value, starts[-1] + 1) if starts else value)
        return tuple(starts)

    def factor(self, iteration: int) -> float:
        return float(self.gamma ** bisect_right(self._starts, iteration))

    def current_step(self, iteration: int) -> int:
        return bisect_right(self._starts, iteration - 1) if iteration else 0


@register_policy("multifixed")
@dataclass(frozen=True)
class MultiFixed(Schedule):
    """The k-th ``stagelr`` up to and with iteration ``stageiter`` k; the last one beyond."""

    fields = ("stagelr", "stageiter")
    needs_base = False
    stagelr: tuple[float, ...]
    stageiter: tuple[int, ...]

    def rate(self, iteration: int) -> float:
        if iteration < self.warmup:
            return super().rate(iteration)
        stage = next((k for k, end in enumerate(self.stageiter) if iteration <= end), -1)
        return max(self.min_lr, self.stagelr[stage] / (1 + self.decay * iteration))

    def factor(self, iteration: int) -> float:
        return 1.0  # only used during warm-up


@register_policy("poly")
@dataclass(frozen=True)
class Polynomial(Schedule):
    """``(1 - iteration / max_iter) ^ power``; 0 (or ``min_lr``) from ``max_iter`` on."""

    fields = ("power", "max_iter")
    ends_at_floor = True
    power: float
    max_iter: int

    def factor(self, iteration: int) -> float:
        done = iteration / self.max_iter if self.max_iter else 0.0
        return float(max(0.0, 1 - done) ** self.power)


@register_policy("sigmoid")
@dataclass(frozen=True)
class Sigmoid(Schedule):
    """``1 / (1 + exp(-gamma * (iteration - stepsize)))``: with ``gamma`` above 0 it rises,
    below 0 it falls.
    """

    fields = ("gamma", "stepsize")
    gamma: float
    stepsize: int

    def factor(self, iteration: int) -> float:
        exponent = -self.gamma * (iteration - self.stepsize)
        # Beyond 700 the sum is the exponential itself, and soon past the largest float.
        return 1 / (1 + math.exp(exponent)) if exponent < 700 else math.exp(-exponent)


@register_policy("cosine")
@dataclass(frozen=True)
class Cosine(Schedule):
    """``(1 + cos(pi p)) / 2``, with p the completed share of the iterations after the warm-up
    (Loshchilov and Hutter, ICLR 2017, without restarts). Caffe has no such policy.
    """

    fields = ("max_iter",)
    ends_at_floor = True
    max_iter: int

    def factor(self, iteration: int) -> float:
        done = (iteration - self.warmup) / max(1, self.max_iter - self.warmup)
        return (1 + math.cos(math.pi * min(1.0, done))) / 2


def tests_at(solver: SolverParameter, iteration: int) -> bool:
    """Whether a test is due: every ``test_interval`` iterations, from ``test_offset`` (of Intel's
    fork) on.
    """
    every: int = solver.test_interval
    return bool(every) and (iteration - solver.test_offset) % every == 0

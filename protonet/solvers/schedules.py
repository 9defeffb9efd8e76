"""Learning-rate policies: the rate as a pure function of the iteration.

Formulas and names are those of Caffe's ``SGDSolver::GetLearningRate``.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
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
        SolverError: for an unknown policy, or fields that it needs and that are missing or
            cannot be; all of them at once.
    """
    findings = list(schedule_findings(solver))
    if findings:
        raise SolverError(findings)
    return POLICIES[solver.lr_policy].read(solver)


def schedule_findings(solver: SolverParameter) -> Iterable[Finding]:
    """Everything that is wrong with the fields that decide the learning rate."""
    if not solver.HasField("base_lr"):
        yield Finding(("base_lr",), "base_lr is missing")
    known = f"the policies are {', '.join(policy_names())}"
    if not solver.HasField("lr_policy"):
        yield Finding(("lr_policy",), "lr_policy is missing", known)
    elif solver.lr_policy not in POLICIES:
        guess = nearest(solver.lr_policy, POLICIES)
        yield Finding(("lr_policy",), f"unknown lr_policy '{solver.lr_policy}'{guess}", known)
    else:
        for field in POLICIES[solver.lr_policy].fields:
            finding = _check(solver, field)
            if finding is not None:
                yield finding


def _check(solver: SolverParameter, field: str) -> Finding | None:
    """What is wrong with a field that the solver's policy needs."""
    policy = f"lr_policy '{solver.lr_policy}'"
    if field == "stepvalue":
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
    if not solver.HasField(field):
        return Finding((), f"{policy} needs {field}")
    value = getattr(solver, field)
    if field in ("stepsize", "max_iter") and value <= 0:
        return Finding((field,), f"{policy} needs {field} above 0, got {value}")
    if field == "gamma" and not value >= 0:
        return Finding((field,), f"{policy} needs gamma of at least 0, got {value:g}")
    return None


@dataclass(frozen=True)
class Schedule:
    """The learning rate of each iteration, counted from 0: ``base_lr * factor(iteration)``.

    A policy is a subclass whose attributes are the fields of SolverParameter that it reads, all
    of which must be given.
    """

    policy: ClassVar[str]
    fields: ClassVar[tuple[str, ...]] = ()
    base_lr: float

    @classmethod
    def read(cls, solver: SolverParameter) -> Schedule:
        """Take the fields, already checked, from the solver."""
        values = [getattr(solver, field) for field in cls.fields]
        return cls(solver.base_lr, *(v if isinstance(v, int | float) else tuple(v) for v in values))

    def rate(self, iteration: int) -> float:
        """The learning rate; infinite where the policy leaves the range of floats."""
        try:
            return self.base_lr * self.factor(iteration)
        except (OverflowError, ZeroDivisionError):
            return math.inf

    def factor(self, iteration: int) -> float:
        """What multiplies ``base_lr``."""
        raise NotImplementedError

    def current_step(self, iteration: int) -> int:
        """How many steps the rate has taken when ``iteration`` iterations are done.

        A .solverstate stores it; only step and multistep have any.
        """
        return 0


@register_policy("fixed")
@dataclass(frozen=True)
class Fixed(Schedule):
    """Always ``base_lr``."""

    def factor(self, iteration: int) -> float:
        return 1.0


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
        # Caffe writes the step of the last iteration that ran, not of the next.
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

        Caffe takes at most one in an iteration: of two equal values, the second comes one later.
        """
        starts: list[int] = []
        for value in self.stepvalue:
            starts.append(max(value, starts[-1] + 1) if starts else value)
        return tuple(starts)

    def factor(self, iteration: int) -> float:
        return float(self.gamma ** bisect_right(self._starts, iteration))

    def current_step(self, iteration: int) -> int:
        return bisect_right(self._starts, iteration - 1) if iteration else 0


@register_policy("poly")
@dataclass(frozen=True)
class Polynomial(Schedule):
    """``(1 - iteration / max_iter) ^ power``; 0 from ``max_iter`` on."""

    fields = ("power", "max_iter")
    power: float
    max_iter: int

    def factor(self, iteration: int) -> float:
        return float(max(0.0, 1 - iteration / self.max_iter) ** self.power)


@register_policy("sigmoid")
@dataclass(frozen=True)
class Sigmoid(Schedule):
    """``1 / (1 + exp(-gamma * (iteration - stepsize)))``: with ``gamma`` above 0 it rises."""

    fields = ("gamma", "stepsize")
    gamma: float
    stepsize: int

    def factor(self, iteration: int) -> float:
        exponent = -self.gamma * (iteration - self.stepsize)
        # Beyond 700 the sum is the exponential itself, and soon past the largest float.
        return 1 / (1 + math.exp(exponent)) if exponent < 700 else math.exp(-exponent)

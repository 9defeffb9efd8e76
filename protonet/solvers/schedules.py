"""Learning-rate policies: the rate as a pure function of the iteration."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable
from dataclasses import dataclass

from protonet.errors import Mistake, NetworkError, nearest
from protonet.proto.caffe_pb2 import SolverParameter

Factor = Callable[[SolverParameter, int], float]


def _fixed(_solver: SolverParameter, _iteration: int) -> float:
    return 1.0


def _step(solver: SolverParameter, iteration: int) -> float:
    return float(solver.gamma ** (iteration // solver.stepsize))


def _exp(solver: SolverParameter, iteration: int) -> float:
    return float(solver.gamma**iteration)


def _inv(solver: SolverParameter, iteration: int) -> float:
    return float((1 + solver.gamma * iteration) ** -solver.power)


def _multistep(solver: SolverParameter, iteration: int) -> float:
    return float(solver.gamma ** bisect.bisect_right(list(solver.stepvalue), iteration))


def _poly(solver: SolverParameter, iteration: int) -> float:
    return float((1 - iteration / solver.max_iter) ** solver.power)


def _sigmoid(solver: SolverParameter, iteration: int) -> float:
    return 1 / (1 + math.exp(-solver.gamma * (iteration - solver.stepsize)))


POLICIES: dict[str, tuple[Factor, tuple[str, ...]]] = {
    "fixed": (_fixed, ()),
    "step": (_step, ("gamma", "stepsize")),
    "exp": (_exp, ("gamma",)),
    "inv": (_inv, ("gamma", "power")),
    "multistep": (_multistep, ("gamma", "stepvalue")),
    "poly": (_poly, ("power", "max_iter")),
    "sigmoid": (_sigmoid, ("gamma", "stepsize")),
}
"""Each policy's factor of base_lr, and the solver fields that it needs."""


@dataclass(frozen=True)
class Schedule:
    """The learning rate of a solver: ``base_lr`` times its policy's factor."""

    solver: SolverParameter
    factor: Factor

    def rate(self, iteration: int) -> float:
        """The learning rate of an iteration, counted from 0."""
        return float(self.solver.base_lr) * self.factor(self.solver, iteration)

    def current_step(self, iteration: int) -> int:
        """How many steps down the rate has taken: what Caffe stores in a solverstate."""
        if self.solver.lr_policy == "step":
            return iteration // self.solver.stepsize
        if self.solver.lr_policy == "multistep":
            return bisect.bisect_right(list(self.solver.stepvalue), iteration)
        return 0


def make_schedule(solver: SolverParameter) -> Schedule:
    """The schedule that the solver's ``lr_policy`` names.

    Raises:
        NetworkError: for an unknown policy, or one whose fields are missing or cannot be.
    """
    policy = solver.lr_policy
    if policy not in POLICIES:
        known = ", ".join(POLICIES)
        raise NetworkError(
            [
                Mistake(
                    f"unknown lr_policy '{policy}'{nearest(policy, POLICIES)}",
                    hint=f"known policies: {known}",
                )
            ]
        )
    factor, fields = POLICIES[policy]
    mistakes = [Mistake("solver: base_lr is missing")] if not solver.HasField("base_lr") else []
    for field in fields:
        mistakes += _check(solver, policy, field)
    if mistakes:
        raise NetworkError(mistakes)
    return Schedule(solver, factor)


def _check(solver: SolverParameter, policy: str, field: str) -> list[Mistake]:
    """What is wrong with a field that the policy needs."""
    value = getattr(solver, field)
    if field == "stepvalue":
        steps = list(value)
        if not steps or steps != sorted(steps):
            return [Mistake(f"solver: lr_policy '{policy}' needs stepvalue entries, ascending")]
        return []
    if not solver.HasField(field):  # type: ignore[arg-type]
        return [Mistake(f"solver: lr_policy '{policy}' needs {field}")]
    if field in ("stepsize", "max_iter") and value <= 0:
        return [Mistake(f"solver: lr_policy '{policy}' needs {field} above 0, got {value}")]
    if field == "gamma" and value < 0:
        return [Mistake(f"solver: lr_policy '{policy}' needs gamma of at least 0, got {value:g}")]
    return []

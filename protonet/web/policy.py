"""The learning rate over a training, to be drawn."""

from __future__ import annotations

from pathlib import Path

from protonet.jobs.definitions.solver import make_solver
from protonet.jobs.run.settings import RunSettings
from protonet.solvers.schedules import make_schedule
from protonet.web.forms import PolicyForm

_POINTS = 400


def policy_curve(form: PolicyForm, iterations: int = 1000) -> list[tuple[float, float]]:
    """(percent of the training, learning rate) from its beginning to its end.

    Args:
        form: the policy.
        iterations: how long the training is, which a warm-up is measured by.

    Raises:
        SolverError: for settings that cannot be.
    """
    settings = RunSettings(
        Path(),
        epochs=1.0,
        lr=form.lr,
        lr_policy=form.lr_policy,
        gamma=form.gamma,
        power=form.power,
        steps=tuple(form.steps) if form.lr_policy in ("step", "multistep", "sigmoid") else (),
        warmup=min(form.warmup, iterations),
        min_lr=form.min_lr,
    )
    schedule = make_schedule(make_solver(settings, (iterations, 1), None))
    step = max(1, iterations // _POINTS)
    return [(100 * at / iterations, schedule.rate(at)) for at in range(0, iterations, step)]

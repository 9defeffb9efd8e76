"""The learning-rate curve of a form."""

from __future__ import annotations

from pathlib import Path

from protonet.jobs.definitions.solver import DEFAULT_POLICY, rate_curve
from protonet.jobs.run.bounds import STEPPED
from protonet.jobs.run.settings import RunSettings
from protonet.solvers.rate_curve import Curve
from protonet.web.training_form import CurveForm


def policy_curve(form: CurveForm) -> Curve:
    """The learning rate of a training, over epochs where the number of images is not known. Steps
    of a policy that has none are left out, as in the training itself.

    Raises:
        SolverError: for invalid settings.
        UsageError: for more iterations than a solver can count.
    """
    stepped = (form.lr_policy or DEFAULT_POLICY) in STEPPED
    values = form.model_dump(exclude={"images", "steps"})
    settings = RunSettings(Path(), **values, steps=tuple(form.steps) if stepped else ())
    return rate_curve(settings, form.images)

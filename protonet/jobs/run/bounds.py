"""Bounds and choices of the settings of a training: for commands, forms and run.json alike."""

from __future__ import annotations

import math
from dataclasses import dataclass

from protonet.precision import PRECISIONS

MOST_ITERATIONS = 2**31 - 1
"""The fields of Caffe's solver that count are int32."""

SOLVERS = ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam", "AdamW")
"""The update rules that are offered; of a Lua text they mean those of Torch7's optim."""

POLICIES = ("fixed", "step", "multistep", "exp", "inv", "poly", "sigmoid", "cosine", "torch_sgd")
"""The learning-rate policies that are offered."""

REGULARIZATIONS = ("L2", "L1")
"""What weight decay is the gradient of."""

MEANS = ("image", "pixel", "none")
"""Means to subtract that are no file and no numbers."""

STEPPED = ("step", "multistep", "sigmoid")
"""The policies with steps."""


@dataclass(frozen=True)
class Bound:
    """The bounds of a number; with ``above`` and ``below`` it must not be the bound itself."""

    least: float
    most: float = math.inf
    above: bool = False
    below: bool = False
    whole: bool = False

    def problem(self, value: float) -> str | None:
        """What is wrong with a value, to follow its name; None for a right one."""
        over = value > self.least if self.above else value >= self.least
        under = value < self.most if self.below or math.isinf(self.most) else value <= self.most
        if over and under:
            return None
        if math.isinf(value) and over and math.isinf(self.most):
            return "must be finite"
        return f"must be {self._expected(over)}, got {_shown(value)}"

    def _expected(self, over: bool) -> str:
        if self.above and self.below:
            return f"between {self.least:g} and {self.most:g}"
        low = f"{'above' if self.above else 'at least'} {_shown(self.least)}"
        high = f"{'below' if self.below else 'at most'} {_shown(self.most)}"
        if self.whole:
            return high if over else low
        if math.isinf(self.most):
            return low if self.above else f"{low} and finite"
        return f"{low} and {high}"


def _shown(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def _count(least: int, most: int = MOST_ITERATIONS) -> Bound:
    return Bound(least, most, whole=True)


_POSITIVE = Bound(0, above=True)
_NOT_NEGATIVE = Bound(0)
_FRACTION = Bound(0, 1, below=True)

BOUNDS = {
    "epochs": _POSITIVE,
    "batch_size": _count(1),
    "accumulation": _count(1),
    "lr": _POSITIVE,
    "gamma": _NOT_NEGATIVE,
    "power": _NOT_NEGATIVE,
    "warmup": _count(0),
    "warmup_lr": _NOT_NEGATIVE,
    "min_lr": _NOT_NEGATIVE,
    "learning_rate_decay": _NOT_NEGATIVE,
    "momentum": _FRACTION,
    "momentum2": _FRACTION,
    "rms_decay": _FRACTION,
    "delta": _POSITIVE,
    "dampening": Bound(0, 1),
    "weight_decay": _NOT_NEGATIVE,
    "clip_gradients": _POSITIVE,
    "crop": _count(0),
    "snapshot_every": _NOT_NEGATIVE,
    "val_every": _NOT_NEGATIVE,
    "seed": _count(0, 2**63 - 1),
    "early_stop": _count(1),
    "average": Bound(0, 1, above=True, below=True),
    "keep": _count(1),
    "memory_limit": _count(1, 2**63 - 1),
    "threads": _count(1, 1024),
    "ranks": _count(1, 1024),
}
"""The bounds of each setting that is a number."""

STEP = Bound(0, 100, above=True)
"""The bounds of a step, in percent of the training."""

CHOICES = {
    "regularization": REGULARIZATIONS,
    "gradient_precision": PRECISIONS,
}
"""The values of each setting that is one of a few words; solvers and policies may be registered."""


def mean_values(mean: str) -> tuple[float, ...] | None:
    """The numbers of a mean such as ``104,117,123``; None for a word or a file."""
    try:
        return tuple(float(part) for part in mean.split(","))
    except ValueError:
        return None

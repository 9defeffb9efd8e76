"""The settings of a run: everything that ``protonet train`` can be told."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from protonet.errors import UsageError

DEFAULT_BATCH = 16
"""DIGITS' batch size where neither the user nor the network gives one."""

_PATHS = ("data", "labels", "val_data", "val_labels", "out")

_MOST_STEPS = {"fixed": 0, "exp": 0, "inv": 0, "poly": 0, "step": 1, "sigmoid": 1}
"""How many steps a policy takes, where that is bounded."""


@dataclass(frozen=True)
class RunSettings:
    """How a pasted network is trained on given databases. Defaults are DIGITS'.

    ``mean`` is a .binaryproto file, ``"none"``, or None for the mean of the training images.
    ``batch_size`` None means the network's own, else 16; so many batches as ``accumulation`` says
    make one update. ``weight_decay`` None means lr / 100. ``steps`` are percentages of the
    training. ``gamma`` and ``power`` None mean the policy's usual ones. ``snapshot_every`` and
    ``val_every`` are epochs; 0 means only at the end, or never. ``keep`` is how many snapshots
    stay, beside the best; None keeps all. ``early_stop`` ends the training after so many
    validations without a better figure. ``weights`` is a comma list of files to begin with;
    ``allow_mismatch`` leaves layers that they do not fit as they are.

    Raises:
        UsageError: for values that cannot be.
    """

    data: Path
    labels: Path | None = None
    val_data: Path | None = None
    val_labels: Path | None = None
    mean: str | None = None
    epochs: float = 30.0
    batch_size: int | None = None
    accumulation: int = 1
    lr: float = 0.01
    lr_policy: str = "step"
    gamma: float | None = None
    power: float | None = None
    steps: tuple[float, ...] = ()
    momentum: float = 0.9
    weight_decay: float | None = None
    solver: str = "SGD"
    snapshot_every: float = 1.0
    val_every: float = 1.0
    seed: int = 0
    shuffle: bool = False
    device: str = "cpu"
    out: Path | None = None
    threads: int = 2
    keep: int | None = None
    early_stop: int | None = None
    weights: str = ""
    allow_mismatch: bool = False

    def __post_init__(self) -> None:
        self._check_numbers()
        self._check_steps()
        if self.early_stop is not None and self.val_data is None:
            raise UsageError("early stop needs validation: --val-data")
        if self.val_labels is not None and self.val_data is None:
            raise UsageError("--val-labels needs --val-data")
        if self.val_data is not None and (self.labels is None) != (self.val_labels is None):
            raise UsageError(
                "give both --labels and --val-labels, or neither: "
                "training and validation must have the same kind of labels"
            )

    def _check_numbers(self) -> None:
        for name in ("epochs", "lr"):
            value = getattr(self, name)
            if not value > 0:
                raise UsageError(f"{name} must be above 0, got {value:g}")
            if math.isinf(value):
                raise UsageError(f"{name} must be finite")
        for name in ("momentum", "weight_decay", "snapshot_every", "val_every"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise UsageError(f"{_shown(name)} must be at least 0 and finite, got {value:g}")
        for name in ("batch_size", "accumulation", "threads", "keep", "early_stop"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{_shown(name)} must be at least 1, got {value}")
        if self.seed < 0:
            raise UsageError(f"seed must be at least 0, got {self.seed}")

    def _check_steps(self) -> None:
        if any(not 0 < step <= 100 for step in self.steps):
            raise UsageError("steps are percentages of the training: above 0, at most 100")
        most = _MOST_STEPS.get(self.lr_policy)
        if most is not None and len(self.steps) > most:
            allowed = "takes no steps" if most == 0 else "takes one step"
            raise UsageError(
                f"lr policy '{self.lr_policy}' {allowed}, got {len(self.steps)}; "
                "multistep takes several"
            )

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON values; paths are absolute."""
        values = asdict(self)
        for name in _PATHS:
            if values[name] is not None:
                values[name] = str(Path(values[name]).resolve())
        if self.mean not in (None, "none"):
            values["mean"] = str(Path(str(self.mean)).resolve())
        values["steps"] = list(self.steps)
        values["weights"] = ",".join(weight_files(self.weights))
        return values

    @staticmethod
    def from_json(values: dict[str, Any]) -> RunSettings:
        """What ``to_json`` gave.

        Raises:
            UsageError: for names that a newer protonet wrote, or values that are none.
        """
        known = {field.name for field in fields(RunSettings)}
        if not values.keys() <= known:
            odd = ", ".join(sorted(values.keys() - known))
            raise UsageError(f"the run has settings that this protonet does not know: {odd}")
        read = dict(values)
        for name in _PATHS:
            if read.get(name) is not None:
                read[name] = Path(read[name])
        read["steps"] = tuple(read.get("steps", ()))
        try:
            return RunSettings(**read)
        except TypeError as error:
            raise UsageError(f"the run's settings cannot be read: {error}") from error


def weight_files(listed: str) -> list[str]:
    """The files of a comma list, as absolute paths."""
    return [str(Path(name.strip()).resolve()) for name in listed.split(",") if name.strip()]


def _shown(name: str) -> str:
    return name.replace("_", " ")

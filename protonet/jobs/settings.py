"""The settings of a run: everything that ``protonet train`` can be told."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from protonet.errors import UsageError

DEFAULT_BATCH = 16
"""DIGITS' batch size where neither the user nor the network gives one."""

_PATHS = ("data", "labels", "val_data", "val_labels", "out")


@dataclass(frozen=True)
class RunSettings:
    """How a pasted network is trained on given databases. Defaults are DIGITS'.

    ``mean`` is a .binaryproto file, ``"none"``, or None for the mean of the training images.
    ``batch_size`` None means the network's own, else 16; ``weight_decay`` None means lr / 100.
    ``steps`` are percentages of the training. ``gamma`` and ``power`` None mean the policy's
    usual ones.

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
    lr: float = 0.01
    lr_policy: str = "step"
    gamma: float | None = None
    power: float | None = None
    steps: tuple[float, ...] = ()
    momentum: float = 0.9
    weight_decay: float | None = None
    solver: str = "SGD"
    seed: int = 0
    shuffle: bool = False
    device: str = "cpu"
    out: Path | None = None
    threads: int = 2

    def __post_init__(self) -> None:
        for name, least in (("epochs", 0.0), ("lr", 0.0)):
            if not getattr(self, name) > least:
                raise UsageError(f"{name} must be above {least:g}, got {getattr(self, name):g}")
        for name in ("momentum", "weight_decay"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise UsageError(f"{name} must be at least 0, got {value:g}")
        if self.batch_size is not None and self.batch_size < 1:
            raise UsageError(f"batch size must be at least 1, got {self.batch_size}")
        if any(not 0 < step <= 100 for step in self.steps):
            raise UsageError("steps are percentages of the training: above 0, at most 100")
        if self.val_labels is not None and self.val_data is None:
            raise UsageError("--val-labels needs --val-data")
        if self.val_data is not None and (self.labels is None) != (self.val_labels is None):
            raise UsageError(
                "give both --labels and --val-labels, or neither: "
                "training and validation must have the same kind of labels"
            )

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON values; paths are absolute."""
        values = asdict(self)
        for name in _PATHS:
            if values[name] is not None:
                values[name] = str(Path(values[name]).resolve())
        values["steps"] = list(self.steps)
        return values

    @staticmethod
    def from_json(values: dict[str, Any]) -> RunSettings:
        """What ``to_json`` gave. Unknown names are a UsageError: a newer protonet wrote them."""
        known = {field.name for field in fields(RunSettings)}
        if not values.keys() <= known:
            odd = ", ".join(sorted(values.keys() - known))
            raise UsageError(f"the run has settings that this protonet does not know: {odd}")
        read = dict(values)
        for name in _PATHS:
            if read.get(name) is not None:
                read[name] = Path(read[name])
        read["steps"] = tuple(read.get("steps", ()))
        return RunSettings(**read)

"""The settings of a run: all options of ``protonet train``."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

from protonet.errors import UsageError
from protonet.host import default_threads
from protonet.layers.base import LayerContext
from protonet.precision import PRECISIONS
from protonet.proto.caffe_pb2 import SolverParameter

DEFAULT_BATCH = 16
"""DIGITS' batch size, if neither the user nor the network gives one."""

MOST_ITERATIONS = 2**31 - 1
"""The fields of Caffe's solver that count are int32."""

_MOST_SEED = 2**63 - 1

_MOST_STEPS = {
    **dict.fromkeys(("fixed", "exp", "inv", "poly", "cosine", "torch_sgd"), 0),
    "step": 1,
    "sigmoid": 1,
}
"""The maximal number of steps of policies with a limit."""


@dataclass(frozen=True, kw_only=True)
class SharedSettings:
    """Settings of every training.

    ``keep`` is the number of snapshots to keep, in addition to the best; None keeps all.
    ``early_stop`` ends the training after this many validations without improvement. ``warmup`` is
    the number of warm-up iterations, from the rate ``warmup_lr``; ``min_lr`` the least rate.
    ``average`` is the decay of averaged weights, None for none. ``weights`` is a comma-separated
    list of files for fine-tuning; ``allow_mismatch`` skips layers of other shapes. Without
    ``python_layers``, networks with Python layers are refused. ``memory_limit`` is in bytes, None
    for that of the device; ``recompute`` trades time for memory. ``fuse`` fuses layers. ``tf32``
    allows TF32 products on a GPU. ``precision`` is the type of blobs and gradients, one of
    ``PRECISIONS``.

    Raises:
        UsageError: for invalid values.
    """

    device: str = "cpu"
    out: Path | None = None
    keep: int | None = None
    early_stop: int | None = None
    warmup: int = 0
    warmup_lr: float = 0.0
    min_lr: float = 0.0
    average: float | None = None
    weights: str = ""
    allow_mismatch: bool = False
    python_layers: bool = True
    tf32: bool = False
    precision: str = "float32"
    memory_limit: int | None = None
    recompute: bool = False
    fuse: bool = True

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise UsageError(
                f"precision must be one of {', '.join(PRECISIONS)}, got '{self.precision}'"
            )
        self.at_least(1, "keep", "early_stop", "memory_limit")
        self.at_least(0, "warmup", "warmup_lr", "min_lr")
        self.at_most(MOST_ITERATIONS, "warmup")
        if self.average is not None and not 0 < self.average < 1:
            raise UsageError(f"average must be between 0 and 1, got {self.average:g}")

    def at_least(self, least: int, *names: str) -> None:
        """Refuse settings of these names below ``least``, or infinite; None is valid."""
        for name in names:
            value = getattr(self, name)
            if value is not None and not least <= value < math.inf:
                finite = " and finite" if isinstance(value, float) else ""
                shown = name.replace("_", " ")
                raise UsageError(f"{shown} must be at least {least}{finite}, got {value:g}")

    def at_most(self, most: int, *names: str) -> None:
        """Refuse values of these names that no field of a solver or layer holds; None passes."""
        for name in names:
            value = getattr(self, name)
            if value is not None and value > most:
                shown = name.replace("_", " ")
                raise UsageError(f"{shown} must be at most {most}, got {value}")

    def apply_rates(self, solver: SolverParameter) -> None:
        """Set warm-up and minimum of the learning rate in a solver."""
        for name, value in (
            ("rampup_interval", self.warmup),
            ("rampup_lr", self.warmup_lr),
            ("min_lr", self.min_lr),
        ):
            if value:
                setattr(solver, name, value)

    def layer_context(self, folder: Path) -> LayerContext:
        """The context of the run's layers; ``folder`` is the run's."""
        return LayerContext(folder, python_layers=self.python_layers)

    def absolute(self) -> Self:
        """These settings with absolute paths, so that a run can be resumed from any folder."""
        paths = {
            each.name: value.resolve()
            for each in fields(self)
            if isinstance(value := getattr(self, each.name), Path)
        }
        changed: dict[str, Any] = {**paths, "weights": ",".join(weight_files(self.weights))}
        return replace(self, **changed)


@dataclass(frozen=True, kw_only=True)
class SolverSettings(SharedSettings):
    """Settings in addition to a solver file.

    ``seed`` None means the file's own; ``lr_policy`` and ``level`` replace the file's, ``stages``
    are added to those of the train net. ``snapshot`` is a .solverstate to continue from.
    """

    seed: int | None = None
    snapshot: Path | None = None
    lr_policy: str | None = None
    level: int | None = None
    stages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_most(MOST_ITERATIONS, "level")
        self.at_most(_MOST_SEED, "seed")

    def layer_context(self, folder: Path) -> LayerContext:
        """The context, with the seed if given."""
        seed = 0 if self.seed is None else self.seed
        return replace(super().layer_context(folder), seed=seed)

    def put(self, solver: SolverParameter) -> None:
        """Apply these settings to the solver."""
        solver.weights.extend([self.weights] if self.weights else [])
        if self.lr_policy is not None:
            solver.lr_policy = self.lr_policy
        if self.level is not None:
            solver.train_state.level = self.level
        if self.stages:
            solver.train_state.stage.extend(self.stages)
        self.apply_rates(solver)


@dataclass(frozen=True)
class RunSettings(SharedSettings):
    """Settings for training a pasted network on databases. The defaults are DIGITS', except the
    policy: DIGITS' step at 33 % reduces the rate too early.

    ``mean`` is a .binaryproto file, ``"none"``, or None for the mean of the training images.
    ``batch_size`` None means the network's own, else 16; ``accumulation`` is the number of batches
    per update. ``weight_decay`` and ``lr_policy`` None mean lr / 100 and multistep, for a network
    of Torch7 1e-4 and torch_sgd. ``steps`` are percentages of the training.
    ``gamma`` and ``power`` None, and no steps, mean the policy's defaults. ``snapshot_every`` and
    ``val_every`` are epochs; 0 means only at the end, or never. ``by_position`` pairs images and
    labels with different keys by position. ``label_map`` and ``name_sizes`` are files of a data set
    with boxes: its classes, and name, height and width of each validation image; None for those
    beside the databases. ``torch7_snapshots`` writes snapshots as .t7 files of
    Torch7 too.
    """

    data: Path
    labels: Path | None = None
    val_data: Path | None = None
    val_labels: Path | None = None
    label_map: Path | None = None
    name_sizes: Path | None = None
    mean: str | None = None
    epochs: float = 30.0
    batch_size: int | None = None
    accumulation: int = 1
    lr: float = 0.01
    lr_policy: str | None = None
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
    by_position: bool = False
    torch7_snapshots: bool = False
    threads: int = field(default_factory=default_threads)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_numbers()
        self._check_steps()
        if self.early_stop is not None and self.val_data is None:
            raise UsageError("early stop needs validation: --val-data")
        if self.early_stop is not None and not self.val_every:
            raise UsageError("early stop needs validation, but --val-every 0 disables it")
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
        self.at_least(0, "momentum", "weight_decay", "snapshot_every", "val_every")
        self.at_least(1, "batch_size", "accumulation", "threads")
        self.at_most(MOST_ITERATIONS, "batch_size", "accumulation")
        self.at_least(0, "seed")
        self.at_most(_MOST_SEED, "seed")

    def _check_steps(self) -> None:
        if any(not 0 < step <= 100 for step in self.steps):
            raise UsageError("steps are percentages of the training: above 0, at most 100")
        most = _MOST_STEPS.get(self.lr_policy) if self.lr_policy else None
        if most is not None and len(self.steps) > most:
            allowed = "takes no steps" if most == 0 else "takes one step"
            raise UsageError(
                f"lr policy '{self.lr_policy}' {allowed}, got {len(self.steps)}; "
                "multistep takes several"
            )

    def layer_context(self, folder: Path) -> LayerContext:
        """The context, with seed, shuffling, and prefetching threads."""
        return replace(
            super().layer_context(folder),
            seed=self.seed,
            shuffle=self.shuffle,
            threads=self.threads,
        )

    def absolute(self) -> Self:
        """These settings with absolute paths, including the mean."""
        given = super().absolute()
        if given.mean in (None, "none"):
            return given
        return replace(given, mean=str(Path(str(given.mean)).resolve()))


def weight_files(listed: str) -> list[str]:
    """The files of a comma-separated list, as absolute paths."""
    return [str(Path(name.strip()).resolve()) for name in listed.split(",") if name.strip()]

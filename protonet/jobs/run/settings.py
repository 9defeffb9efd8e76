"""The settings of a run: all options of ``protonet train``."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

from protonet.errors import UsageError
from protonet.host import default_threads
from protonet.jobs.run.bounds import (
    BOUNDS,
    CHOICES,
    MEANS,
    MOST_ITERATIONS,
    POLICIES,
    STEP,
    STEPPED,
    Bound,
    mean_values,
)
from protonet.layers.base import LayerContext
from protonet.precision import PRECISIONS
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.ranks.devices import count_devices

DEFAULT_BATCH = 16
"""DIGITS' batch size, if neither the user nor the network gives one."""

_MOST_STEPS = {
    **{name: 0 for name in POLICIES if name not in STEPPED},
    "step": 1,
    "sigmoid": 1,
}
"""The maximal number of steps of policies with a limit."""


@dataclass(frozen=True, kw_only=True)
class SharedSettings:
    """Settings of every training.

    ``device`` may be several, such as ``cuda:0,1`` and ``cuda:all``: one for each of the ``ranks``,
    the processes that share out every batch; None is one for each device.
    ``keep`` is the number of snapshots to keep, in addition to the best; None keeps all.
    ``early_stop`` ends the training after this many validations without improvement. ``warmup`` is
    the number of warm-up iterations, from the rate ``warmup_lr``; ``min_lr`` the least rate.
    ``average`` is the decay of averaged weights, None for none. ``weights`` is a comma-separated
    list of files for fine-tuning; ``allow_mismatch`` skips layers of other shapes. Without
    ``python_layers``, networks with Python layers are refused. ``memory_limit`` is in bytes, None
    for that of the device; ``recompute`` trades time for memory. ``fuse`` fuses layers. ``tf32``
    allows TF32 products on a GPU. ``precision`` is the type of blobs and gradients, one of
    ``PRECISIONS``. ``sync_batch_norm`` normalizes with the moments of the batch of all ranks;
    ``gradient_precision`` is the type in which they send gradients.

    Raises:
        UsageError: for invalid values.
    """

    device: str = "cpu"
    ranks: int | None = None
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
    sync_batch_norm: bool = False
    gradient_precision: str = "float32"

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise UsageError(
                f"precision must be one of {', '.join(PRECISIONS)}, got '{self.precision}'"
            )
        for each in fields(self):
            value = getattr(self, each.name)
            if value is None:
                continue
            if each.name in BOUNDS:
                self.keep_to(BOUNDS[each.name], each.name)
            known = CHOICES.get(each.name, (value,))
            if value not in known:
                shown = each.name.replace("_", " ")
                raise UsageError(f"{shown} must be one of {', '.join(known)}, got '{value}'")

    def keep_to(self, bound: Bound, name: str) -> None:
        """Refuse a setting out of its bounds; None is valid."""
        value = getattr(self, name)
        problem = None if value is None else bound.problem(value)
        if problem is not None:
            raise UsageError(f"{name.replace('_', ' ')} {problem}")

    def wanted_ranks(self) -> int:
        """The number of ranks: if not given, one for each device.

        Raises:
            DeviceError: for a malformed device; of ``cuda:all`` without a GPU.
        """
        return count_devices(self.device) if self.ranks is None else self.ranks

    def on_ranks(self, count: int) -> Self:
        """These settings with the number of ranks that there are; one is not recorded.

        Raises:
            UsageError: where they ask for others.
        """
        if self.ranks is None and count == 1:
            return self
        if self.ranks not in (None, count):
            raise UsageError(
                f"the settings have {self.ranks} ranks, and {count} "
                f"{'was' if count == 1 else 'were'} started: --ranks {self.ranks} starts them on "
                f"this machine, mpiexec -n {self.ranks} or srun on several"
            )
        return replace(self, ranks=count)

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
        return LayerContext(
            folder, python_layers=self.python_layers, sync_batch_norm=self.sync_batch_norm
        )

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
    are added to those of the train net. ``snapshot`` is a .solverstate to continue from. With
    ``batch_per_rank`` each rank has the batch of the text, as on Caffe's GPUs.
    """

    seed: int | None = None
    snapshot: Path | None = None
    batch_per_rank: bool = False
    lr_policy: str | None = None
    level: int | None = None
    stages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        self.keep_to(Bound(-math.inf, MOST_ITERATIONS, whole=True), "level")

    def layer_context(self, folder: Path) -> LayerContext:
        """The context, with the seed if given."""
        seed = 0 if self.seed is None else self.seed
        return replace(super().layer_context(folder), seed=seed, batch_per_rank=self.batch_per_rank)

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

    ``mean`` is ``"image"`` (the mean of the training images), ``"pixel"`` (that of each channel),
    ``"none"``, numbers, or a file; None means the network's own, else the mean image.
    ``known_mean`` is a file of the mean image, which then is not computed. ``crop`` is the side of
    a square, random in training, central in validation; 0 means none, and None, as for ``mirror``,
    the network's own. ``momentum2``, ``rms_decay``, ``delta`` and ``dampening`` are constants of
    update rules, None for the rule's default. ``batch_size`` None means the network's own, else 16;
    ``accumulation`` is the number of batches per update. ``weight_decay`` and ``lr_policy`` None
    mean lr / 100 and multistep, for a network of Torch7 1e-4 and torch_sgd. ``steps`` are
    percentages of the training. ``gamma`` and ``power`` None, and no steps, mean the policy's
    defaults. ``snapshot_every`` and ``val_every`` are epochs; 0 means only at the end, or never.
    ``by_position`` pairs images and labels with different keys by position. ``label_map``
    and ``name_sizes`` are files of a data set with boxes: its classes, and name, height and width
    of each validation image; None for those beside the databases. ``torch7_snapshots``
    writes snapshots as .t7 files of Torch7 too.
    """

    data: Path
    labels: Path | None = None
    val_data: Path | None = None
    val_labels: Path | None = None
    label_map: Path | None = None
    name_sizes: Path | None = None
    mean: str | None = None
    known_mean: Path | None = None
    crop: int | None = None
    mirror: bool | None = None
    epochs: float = 30.0
    batch_size: int | None = None
    accumulation: int = 1
    lr: float = 0.01
    lr_policy: str | None = None
    gamma: float | None = None
    power: float | None = None
    steps: tuple[float, ...] = ()
    learning_rate_decay: float | None = None
    momentum: float = 0.9
    momentum2: float | None = None
    rms_decay: float | None = None
    delta: float | None = None
    dampening: float | None = None
    weight_decay: float | None = None
    regularization: str = "L2"
    clip_gradients: float | None = None
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
        self._check_steps()
        if self.early_stop is not None and self.val_data is None:
            raise UsageError(
                "early stop needs validation: --val-data, or a data set with validation images"
            )
        if self.early_stop is not None and not self.val_every:
            raise UsageError("early stop needs validation, but --val-every 0 disables it")
        if self.val_labels is not None and self.val_data is None:
            raise UsageError("--val-labels needs --val-data")
        if self.val_data is not None and (self.labels is None) != (self.val_labels is None):
            raise UsageError(
                "give both --labels and --val-labels, or neither: "
                "training and validation must have the same kind of labels"
            )

    def _check_steps(self) -> None:
        if any(STEP.problem(step) for step in self.steps):
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
        if given.mean_file is None:
            return given
        return replace(given, mean=str(given.mean_file.resolve()))

    @property
    def mean_file(self) -> Path | None:
        """The file that ``mean`` names, if it names one."""
        if self.mean is None or self.mean in MEANS or mean_values(self.mean) is not None:
            return None
        return Path(self.mean)


def weight_files(listed: str) -> list[str]:
    """The files of a comma-separated list, as absolute paths."""
    return [str(Path(name.strip()).resolve()) for name in listed.split(",") if name.strip()]

"""The settings of a run: everything that ``protonet train`` can be told."""

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
"""DIGITS' batch size where neither the user nor the network gives one."""

MOST_ITERATIONS = 2**31 - 1
"""The fields of Caffe's solver that count are int32."""

_MOST_SEED = 2**63 - 1

_MOST_STEPS = {"fixed": 0, "exp": 0, "inv": 0, "poly": 0, "cosine": 0, "step": 1, "sigmoid": 1}
"""How many steps a policy takes, where that is bounded."""


@dataclass(frozen=True, kw_only=True)
class SharedSettings:
    """What can be said of every training, and what Caffe has no word for.

    ``keep`` is how many snapshots stay, beside the best; None keeps all. ``early_stop`` ends the
    training after so many validations without a better figure. ``warmup`` is how many iterations
    the rate rises from ``warmup_lr``; ``min_lr`` is its floor. ``average`` is the decay of averaged
    weights, None for none. ``weights`` is a comma list of files to begin with; ``allow_mismatch``
    leaves layers that they do not fit as they are. Without ``python_layers`` a network that has
    any is refused. ``memory_limit`` is how many bytes the training may take, None for what there
    is; ``recompute`` takes less memory and some more time. Without ``fuse`` every layer is
    computed alone. With ``tf32`` a GPU may round the factors of products to 10 bits.
    ``precision`` is the type of blobs and gradients, one of ``PRECISIONS``.

    Raises:
        UsageError: for values that cannot be.
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
        """Refuse values of these names that are less, or infinite; None passes."""
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
        """Write warm-up and floor of the learning rate into a solver."""
        for name, value in (
            ("rampup_interval", self.warmup),
            ("rampup_lr", self.warmup_lr),
            ("min_lr", self.min_lr),
        ):
            if value:
                setattr(solver, name, value)

    def layer_context(self, folder: Path) -> LayerContext:
        """What the layers of a run may know of it; ``folder`` is the run's."""
        return LayerContext(folder, python_layers=self.python_layers)

    def absolute(self) -> Self:
        """The same with absolute paths: what a run keeps, to be resumed from any folder."""
        paths = {
            each.name: value.resolve()
            for each in fields(self)
            if isinstance(value := getattr(self, each.name), Path)
        }
        changed: dict[str, Any] = {**paths, "weights": ",".join(weight_files(self.weights))}
        return replace(self, **changed)


@dataclass(frozen=True, kw_only=True)
class SolverSettings(SharedSettings):
    """What is added to one of Caffe's solver files.

    ``seed`` None means the file's own; ``lr_policy`` and ``level`` replace the file's, ``stages``
    of the training net come to them. ``snapshot`` is a .solverstate to go on from.
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
        """As others have it, with the seed, where one is given."""
        seed = 0 if self.seed is None else self.seed
        return replace(super().layer_context(folder), seed=seed)

    def put(self, solver: SolverParameter) -> None:
        """Write into the solver what these settings say of it."""
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
    """How a pasted network is trained on given databases. Defaults are DIGITS', but for the policy:
    DIGITS begins with step at 33 %, after whose drops little is learned.

    ``mean`` is a .binaryproto file, ``"none"``, or None for the mean of the training images.
    ``batch_size`` None means the network's own, else 16; so many batches as ``accumulation`` says
    make one update. ``weight_decay`` None means lr / 100. ``steps`` are percentages of the
    training. ``gamma`` and ``power`` None, and no steps, mean the policy's usual ones.
    ``snapshot_every`` and ``val_every`` are epochs; 0 means only at the end, or never.
    ``by_position`` pairs images and labels whose keys differ by their places.
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
    lr_policy: str = "multistep"
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
    threads: int = field(default_factory=default_threads)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_numbers()
        self._check_steps()
        if self.early_stop is not None and self.val_data is None:
            raise UsageError("early stop needs validation: --val-data")
        if self.early_stop is not None and not self.val_every:
            raise UsageError("early stop needs validation, but --val-every 0 asks for none")
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
        most = _MOST_STEPS.get(self.lr_policy)
        if most is not None and len(self.steps) > most:
            allowed = "takes no steps" if most == 0 else "takes one step"
            raise UsageError(
                f"lr policy '{self.lr_policy}' {allowed}, got {len(self.steps)}; "
                "multistep takes several"
            )

    def layer_context(self, folder: Path) -> LayerContext:
        """As others have it, with the seed, the order of the data, and the threads that read."""
        return replace(
            super().layer_context(folder),
            seed=self.seed,
            shuffle=self.shuffle,
            threads=self.threads,
        )

    def absolute(self) -> Self:
        """The same with absolute paths, that of the mean too."""
        given = super().absolute()
        if given.mean in (None, "none"):
            return given
        return replace(given, mean=str(Path(str(given.mean)).resolve()))


def weight_files(listed: str) -> list[str]:
    """The files of a comma list, as absolute paths."""
    return [str(Path(name.strip()).resolve()) for name in listed.split(",") if name.strip()]

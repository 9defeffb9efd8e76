"""Events of a training. The trainer emits them; listeners display and store them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MEAN_IOU, PIXEL_ACCURACY = "mean_iou", "pixel_accuracy"
"""Names of outputs of a test that no layer computes: those of ``train.metrics``."""
COCO = "/coco"
"""The end of the name of an output of a detector: COCO's mean average precision. The output named
without it is the mean average precision by the solver's ``ap_version``."""


@dataclass(frozen=True)
class Output:
    """One element of a net's output blob: Caffe prints a line for each.

    ``loss_weight`` is 0 if the blob is not part of the objective.
    """

    name: str
    value: float
    loss_weight: float = 0.0


@dataclass(frozen=True)
class Sharing:
    """How several ranks share out an iteration of ``images``, of which a batch has ``batch``.

    ``each`` is the batch of the text where every rank has one of that size, as on Caffe's GPUs.
    """

    ranks: int
    images: int
    batch: int
    each: int | None = None

    @property
    def text(self) -> str:
        """It as a sentence."""
        if self.each is None:
            return f"{self.ranks} ranks share out batches of {self.batch} images"
        return (
            f"each of {self.ranks} ranks has the batch of the text, {self.each} images, as on "
            f"Caffe's GPUs: updates are those of batches of {self.batch}"
        )


@dataclass(frozen=True)
class Started:
    """The loop begins at ``iteration``, to end at ``stop_at``.

    ``per_epoch`` is the number of iterations in an epoch, None where the data has no length;
    ``policy`` is the lr_policy; ``sharing`` None is one rank.
    """

    net: str
    iteration: int
    stop_at: int
    per_epoch: float | None = None
    policy: str = ""
    sharing: Sharing | None = None


@dataclass(frozen=True)
class Ticked:
    """The progress between displays, a few times a second, for progress bars."""

    iteration: int
    loss: float


@dataclass(frozen=True)
class Iterated:
    """A displayed iteration: smoothed loss, learning rate, outputs of the train net.

    ``iterations`` and ``seconds`` count since the last displayed one; ``sharing`` None is one rank.
    """

    iteration: int
    loss: float
    rate: float
    outputs: tuple[Output, ...]
    iterations: int
    seconds: float
    sharing: Sharing | None = None

    @property
    def images_per_second(self) -> float:
        """Of all ranks; 0 of one rank."""
        if self.sharing is None or self.seconds <= 0:
            return 0.0
        return self.iterations * self.sharing.images / self.seconds


@dataclass(frozen=True)
class Inspected:
    """The ``debug_info`` of an iteration, a line for each blob."""

    iteration: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Tested:
    """A test pass over test net ``net``; outputs are means over its batches.

    ``loss`` is the mean of its whole objective, with ``test_compute_loss``.
    """

    iteration: int
    net: int
    outputs: tuple[Output, ...]
    loss: float | None = None


@dataclass(frozen=True)
class Snapshotted:
    """Weights and state are on disk."""

    iteration: int
    model: Path
    state: Path


@dataclass(frozen=True)
class Warned:
    """A warning for the user, such as memory that may not suffice."""

    iteration: int
    message: str


@dataclass(frozen=True)
class Concluded:
    """The last iteration is done; ``loss`` is one more forward pass (Caffe's closing line)."""

    iteration: int
    loss: float


@dataclass(frozen=True)
class Stopped:
    """The loop has ended: after all iterations, or interrupted by the user."""

    iteration: int
    interrupted: bool


@dataclass(frozen=True)
class Failed:
    """Training cannot continue; ``message`` is for the user."""

    iteration: int
    message: str


Event = (
    Started
    | Ticked
    | Iterated
    | Inspected
    | Tested
    | Snapshotted
    | Warned
    | Concluded
    | Stopped
    | Failed
)
Listener = Callable[[Event], None]

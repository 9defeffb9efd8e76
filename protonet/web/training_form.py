"""The forms of a training, with the bounds and defaults of its settings."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import core_schema

from protonet.jobs.run.bounds import BOUNDS, POLICIES, REGULARIZATIONS, SOLVERS, STEP, Bound
from protonet.jobs.run.settings import DEFAULT_BATCH, RunSettings
from protonet.precision import PRECISIONS
from protonet.web.forms import Form, Group, Name, Place

SNAPSHOT = r"^(best|last|\d{1,12})$"
USUAL: dict[str, Any] = {each.name: each.default for each in fields(RunSettings)}
"""The defaults of the settings."""


def within(bound: Bound | str) -> FieldInfo:
    """The bounds of a number, or of the setting of this name."""
    bound = BOUNDS[bound] if isinstance(bound, str) else bound
    ends: dict[str, Any] = {"gt" if bound.above else "ge": bound.least}
    if math.isfinite(bound.most):
        ends["lt" if bound.below else "le"] = bound.most
    if bound.whole:
        ends = {key: int(value) for key, value in ends.items()}
    else:
        ends["allow_inf_nan"] = False
    return FieldInfo(**ends)


@dataclass(frozen=True)
class OneOf:
    """Of a text: it is one of these words."""

    words: tuple[str, ...]

    def __get_pydantic_core_schema__(self, *_: Any) -> core_schema.CoreSchema:
        """The words as pydantic has them."""
        return core_schema.literal_schema(list(self.words))


Rate = Annotated[float, within("lr")]
Batch = Annotated[int, within("batch_size")]
Policy = Annotated[str, OneOf(POLICIES)]
Solver = Annotated[str, OneOf(SOLVERS)]
Device = Annotated[str, Field(pattern=r"^(cpu|cuda:(all|\d{1,2}(,\d{1,2})*))$")]
Crop = Annotated[int, within("crop")]


class PolicyForm(Form):
    """A learning-rate policy. ``lr_policy`` null is the usual one of the network: multistep, or for
    a Lua text torch_sgd. ``steps`` are percentages of the training, empty for the default.
    """

    lr: Rate = USUAL["lr"]
    lr_policy: Policy | None = USUAL["lr_policy"]
    gamma: Annotated[float, within("gamma")] | None = USUAL["gamma"]
    power: Annotated[float, within("power")] | None = USUAL["power"]
    steps: list[Annotated[float, within(STEP)]] = Field(default=[], max_length=100)
    warmup: Annotated[int, within("warmup")] = USUAL["warmup"]
    warmup_lr: Annotated[float, within("warmup_lr")] = USUAL["warmup_lr"]
    min_lr: Annotated[float, within("min_lr")] = USUAL["min_lr"]
    learning_rate_decay: Annotated[float, within("learning_rate_decay")] | None = None


class CurveForm(PolicyForm):
    """A policy over the length of its training; ``images`` is their number per epoch, if known."""

    epochs: Annotated[float, within("epochs")] = USUAL["epochs"]
    images: Annotated[int, Field(ge=1, le=10**12)] | None = None
    batch_size: Batch = DEFAULT_BATCH
    accumulation: Annotated[int, within("accumulation")] = USUAL["accumulation"]


class RuleForm(Form):
    """An update rule and its constants, null for the rule's default."""

    solver: Solver = USUAL["solver"]
    momentum: Annotated[float, within("momentum")] = USUAL["momentum"]
    momentum2: Annotated[float, within("momentum2")] | None = None
    rms_decay: Annotated[float, within("rms_decay")] | None = None
    delta: Annotated[float, within("delta")] | None = None
    dampening: Annotated[float, within("dampening")] | None = None
    weight_decay: Annotated[float, within("weight_decay")] | None = None
    regularization: Annotated[str, OneOf(REGULARIZATIONS)] = USUAL["regularization"]
    clip_gradients: Annotated[float, within("clip_gradients")] | None = None


class WeightsForm(Form):
    """Initial weights: those of a file, or of a training.

    ``weights`` is a file that was uploaded or is on the server; ``weights_of`` is the id of a
    training, ``weights_at`` its snapshot. ``allow_mismatch`` leaves out layers of other shapes.
    """

    weights: Place | None = None
    weights_of: Annotated[str, Field(max_length=64)] | None = None
    weights_at: Annotated[str, Field(pattern=SNAPSHOT)] = "last"
    allow_mismatch: bool = USUAL["allow_mismatch"]


class TrainingForm(PolicyForm, RuleForm, WeightsForm):
    """A network and its training settings; several rates or batch sizes make a training each.

    The settings are those of ``protonet train``, with its defaults. ``dataset`` is the id of a data
    set. ``mean`` is image, pixel, none, a number for each channel such as 104,117,123, or a file on
    the server; null is the network's own, else the mean image. ``crop`` and ``mirror`` null are the
    network's own. ``snapshot_every`` and ``val_every`` are epochs; 0 is only at the end, or never.
    ``device`` may be several, such as cuda:0,1 or cuda:all, with one of the ``ranks`` each; ranks
    null is one for each device. ``memory_limit`` is in bytes. ``group`` null is the name of a
    sweep, and none for one training.
    """

    name: Name
    network: Annotated[str, Field(min_length=1)]
    dataset: Annotated[str, Field(min_length=1, max_length=64)]
    epochs: Annotated[float, within("epochs")] = USUAL["epochs"]
    batch_sizes: list[Batch] = Field(default=[], max_length=20)
    lrs: list[Rate] = Field(default=[], max_length=20)
    accumulation: Annotated[int, within("accumulation")] = USUAL["accumulation"]
    mean: Place | None = USUAL["mean"]
    crop: Crop | None = USUAL["crop"]
    mirror: bool | None = USUAL["mirror"]
    shuffle: bool = USUAL["shuffle"]
    by_position: bool = USUAL["by_position"]
    snapshot_every: Annotated[float, within("snapshot_every")] = USUAL["snapshot_every"]
    val_every: Annotated[float, within("val_every")] = USUAL["val_every"]
    keep: Annotated[int, within("keep")] | None = USUAL["keep"]
    torch7_snapshots: bool = USUAL["torch7_snapshots"]
    early_stop: Annotated[int, within("early_stop")] | None = USUAL["early_stop"]
    average: Annotated[float, within("average")] | None = USUAL["average"]
    seed: Annotated[int, within("seed")] = USUAL["seed"]
    device: Device = USUAL["device"]
    ranks: Annotated[int, within("ranks")] | None = USUAL["ranks"]
    precision: Annotated[str, OneOf(PRECISIONS)] = USUAL["precision"]
    tf32: bool = USUAL["tf32"]
    fuse: bool = USUAL["fuse"]
    sync_batch_norm: bool = USUAL["sync_batch_norm"]
    gradient_precision: Annotated[str, OneOf(PRECISIONS)] = USUAL["gradient_precision"]
    threads: Annotated[int, within("threads")] | None = None
    memory_limit: Annotated[int, within("memory_limit")] | None = USUAL["memory_limit"]
    recompute: bool = USUAL["recompute"]
    notes: Annotated[str, Field(max_length=20_000)] = ""
    group: Group | None = None

    @field_validator("network")
    @classmethod
    def _no_nul(cls, text: str) -> str:
        if "\0" in text:
            raise ValueError("expected the text of a network")
        return text

    @property
    def rates(self) -> list[float]:
        """The learning rates to train with."""
        return self.lrs or [self.lr]


class CheckForm(WeightsForm):
    """A network to check, with the shapes of a data set if given, and weights to compare it with.

    ``batch_size``, ``crop`` and ``mean`` null are the network's own.
    """

    network: str
    dataset: Annotated[str, Field(max_length=64)] | None = None
    batch_size: Batch | None = None
    crop: Crop | None = None
    mean: Place | None = None


class ResumeForm(Form):
    """How an ended job goes on; ``device`` is another one for a training."""

    device: Device | None = None


class LengthForm(ResumeForm):
    """A new length of an ended training: its total epochs."""

    epochs: Annotated[float, within("epochs")]


class DrawForm(Form):
    """A network to draw."""

    network: str

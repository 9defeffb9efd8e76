"""The forms of the page and of the API, with their limits and defaults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from protonet.jobs.run.settings import DEFAULT_BATCH

N = TypeVar("N", int, float)

Name = Annotated[str, Field(min_length=1, max_length=200)]
Place = Annotated[str, Field(min_length=1, max_length=4000, description="A file or folder.")]
Pixels = Annotated[int, Field(ge=1, le=10_000)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Share = Annotated[float, Field(ge=0, lt=1)]
Rate = Annotated[float, Field(gt=0, lt=1e6, allow_inf_nan=False)]
Batch = Annotated[int, Field(ge=1, le=100_000)]
Epochs = Annotated[float, Field(gt=0, le=1e6)]
Interval = Annotated[float, Field(ge=0, le=1e6, description="Epochs; 0 for never.")]
Policy = Literal["fixed", "step", "multistep", "exp", "inv", "poly", "sigmoid", "cosine"]
Solver = Literal["SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam", "AdamW"]


class Form(BaseModel):
    """A form that forbids unknown fields."""

    model_config = ConfigDict(extra="forbid")


class PolicyForm(Form):
    """A learning-rate policy. ``steps`` are percentages of the training, empty for the default."""

    lr: Rate = 0.01
    lr_policy: Policy = "multistep"
    gamma: Annotated[float, Field(ge=0, le=1e3)] | None = None
    power: Annotated[float, Field(ge=0, le=1e3)] | None = None
    steps: list[Annotated[float, Field(gt=0, le=100)]] = Field(default=[], max_length=100)
    warmup: Annotated[int, Field(ge=0, le=10**9)] = 0
    min_lr: Annotated[float, Field(ge=0, lt=1e6)] = 0.0


class CurveForm(PolicyForm):
    """A policy over the length of its training; ``images`` is their number per epoch, if known."""

    epochs: Epochs = 30.0
    images: Annotated[int, Field(ge=1, le=10**12)] | None = None
    batch_size: Batch = DEFAULT_BATCH


class TrainingForm(PolicyForm):
    """A network and its training settings; several rates or batch sizes make a training each.

    Defaults are DIGITS'. ``dataset`` is the id of a data set. ``weights_of`` is the id of a
    training whose weights are fine-tuned, ``weights_at`` its iteration. ``accumulation`` is the
    number of batches per update. ``snapshot_every`` 0 is only at the end.
    """

    name: Name
    network: Annotated[str, Field(min_length=1)]
    dataset: Annotated[str, Field(min_length=1, max_length=64)]
    epochs: Epochs = 30.0
    batch_sizes: list[Batch] = Field(default=[], max_length=20)
    lrs: list[Rate] = Field(default=[], max_length=20)
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0, lt=1e3)] | None = None
    solver: Solver = "SGD"
    seed: Seed = 0
    shuffle: bool = False
    device: Annotated[str, Field(pattern=r"^(cpu|cuda:\d{1,2})$")] = "cpu"
    precision: Literal["float32", "float16", "bfloat16"] = "float32"
    weights_of: Annotated[str, Field(max_length=64)] | None = None
    weights_at: Annotated[str, Field(pattern=r"^(best|last|\d{1,12})$")] = "last"
    allow_mismatch: bool = False
    accumulation: Batch = 1
    snapshot_every: Interval = 1.0
    val_every: Interval = 1.0
    early_stop: Annotated[int, Field(ge=1, le=10**6)] | None = None
    average: Annotated[float, Field(gt=0, lt=1)] | None = None
    mean: Literal["image", "none"] = "image"
    notes: Annotated[str, Field(max_length=20_000)] = ""

    @field_validator("network")
    @classmethod
    def _no_nul(cls, text: str) -> str:
        if "\0" in text:
            raise ValueError("expected the text of a network")
        return text


class CheckForm(Form):
    """A network to check, with the shapes of a data set if given."""

    network: str
    dataset: Annotated[str, Field(max_length=64)] | None = None
    batch_size: Batch | None = None


class DrawForm(Form):
    """A network to draw."""

    network: str


class ChangeForm(Form):
    """The changeable fields of a job."""

    name: Name | None = None
    notes: Annotated[str, Field(max_length=20_000)] | None = None


class LengthForm(Form):
    """A new length of an ended training: its total epochs."""

    epochs: Epochs


class ListForm(Form):
    """Images on the server for prediction: a list of files, a folder, or a database.

    ``labels`` is the database of their label vectors.
    """

    path: Place
    labels: Place | None = None
    snapshot: Annotated[str, Field(pattern=r"^(best|last|\d{1,12})$")] = "last"
    most: Annotated[int, Field(ge=1, le=10_000)] = 1000


def numbers(text: str, kind: Callable[[str], N]) -> list[N]:
    """Parse a comma-separated list.

    Raises:
        ValueError: for anything but numbers.
    """
    return [kind(part) for part in text.replace(";", ",").split(",") if part.strip()]


def sweep(form: TrainingForm) -> Sequence[tuple[str, float, int | None]]:
    """(name, learning rate, batch size) of each training of a form."""
    rates = form.lrs or [form.lr]
    sizes: list[int | None] = [*form.batch_sizes] or [None]
    found = []
    for rate in rates:
        for size in sizes:
            told = [f"lr {rate:g}"] if len(rates) > 1 else []
            told += [f"batch {size}"] if len(sizes) > 1 else []
            found.append((" ".join([form.name, *told]), rate, size))
    return found


def form_errors(errors: Any) -> str:
    """The validation errors of a form, a line for each field."""
    lines = []
    for each in errors:
        place = ".".join(str(part) for part in each["loc"] if part not in ("body", "query"))
        lines.append(f"{place or 'request'}: {each['msg']}")
    return "\n".join(lines[:20])

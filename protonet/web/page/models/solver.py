"""The solver of a new model: schedule, update rule, intervals, and how it is computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui

from protonet.errors import ProtonetError
from protonet.jobs.definitions.solver import CONSTANTS, constants_of
from protonet.jobs.run.bounds import REGULARIZATIONS, SOLVERS
from protonet.jobs.run.settings import DEFAULT_BATCH
from protonet.precision import PRECISIONS
from protonet.proto.language import is_lua
from protonet.sizes import parse_byte_count
from protonet.web.learning_rate import policy_curve
from protonet.web.page import charts
from protonet.web.page.chart import Chart
from protonet.web.page.models.fields import Fields, Given
from protonet.web.training_form import CurveForm

POLICIES = {
    None: "Usual: multistep, for Lua Torch7's SGD", "fixed": "Fixed", "step": "Step down",
    "multistep": "Step down at several points", "exp": "Exponential decay",
    "inv": "Inverse decay", "poly": "Polynomial decay", "sigmoid": "Sigmoid decay",
    "cosine": "Cosine", "torch_sgd": "SGD of Torch7",
}  # fmt: skip
_SCHEDULE = ("lr_policy", "steps", "gamma", "power", "warmup", "warmup_lr", "min_lr",
             "learning_rate_decay", "accumulation")  # fmt: skip
_DRAWN = ("epochs", "batch_sizes", "lrs", *_SCHEDULE)


class SolverSection(Fields):
    """The section. ``text`` gives the network's text, on which defaults depend."""

    def __init__(self, given: Given, text: Callable[[], str]) -> None:
        super().__init__({**given, "lrs": given.get("lrs") or [given.get("lr", 0.01)]})
        self._text = text
        self._length = (0, 0)  # images per epoch and per batch, once a check has reported them
        with ui.element("div").classes("fields"):
            self._schedule()
        self.curve = Chart(charts.curves({}, x="epoch", zoom=False)).classes("chart middle")
        with ui.element("div").classes("fields"):
            self._rule()
        with ui.expansion("Validation and snapshots").classes("w-full"):
            self._intervals()
        with ui.expansion("Device, memory and speed").classes("w-full"):
            self._computing()
        for name in _DRAWN:
            self.shown[name].on_value_change(self._draw)
        self.shown["solver"].on_value_change(self.fit)
        self.fit()

    def _schedule(self) -> None:
        self.number("epochs", "Epochs", 30.0)
        self.numbers("batch_sizes", "Batch sizes (several make a sweep)", whole=True,
                     hint=f"the network's, else {DEFAULT_BATCH}")  # fmt: skip
        self.numbers("lrs", "Learning rates (several make a sweep)", "0.01")
        self.choice("lr_policy", "Learning-rate policy", POLICIES)
        self.numbers("steps", "Steps (percent)", hint="the policy's usual ones")
        self.number("gamma", "Gamma", hint="the policy's")
        self.number("power", "Power", hint="the policy's")
        self.number("learning_rate_decay", "Decay of the rate", hint="0, for Torch7's SGD 1e-6")
        self.number("warmup", "Warm-up (iterations)", 0, whole=True)
        self.number("warmup_lr", "Initial learning rate", 0)
        self.number("min_lr", "Minimum learning rate", 0)

    def _rule(self) -> None:
        self.choice("solver", "Solver", list(SOLVERS), "SGD")
        self.number("momentum", "Momentum (Adam: beta1)", 0.9)
        self.number("momentum2", "beta2", hint="0.999")
        self.number("rms_decay", "RMS decay", hint="0.99")
        self.number("delta", "Delta", hint="the solver's")
        self.number("dampening", "Dampening", hint="the momentum")
        self.number("weight_decay", "Weight decay", hint="rate / 100, for Lua 1e-4")
        self.choice("regularization", "Regularization", list(REGULARIZATIONS), "L2")
        self.number("clip_gradients", "Largest norm of gradients", hint="no limit")
        self.number("accumulation", "Batches per update", 1, whole=True)
        self.number("seed", "Seed", 0, whole=True)

    def _intervals(self) -> None:
        with ui.element("div").classes("fields"):
            self.number("snapshot_every", "Epochs between snapshots (0: at the end)", 1.0)
            self.number("val_every", "Epochs between validations (0: none)", 1.0)
            self.number("keep", "Snapshots to keep", whole=True, hint="all")
            self.number("early_stop", "Stop early after (validations)", whole=True, hint="never")
            self.number("average", "Average weights (such as 0.999)", hint="no")
            self.check("torch7_snapshots", "Snapshots as .t7 too (of a Lua text)")

    def _computing(self) -> None:
        with ui.element("div").classes("fields"):
            self.text("device", "Device (cpu, cuda:0; several: cuda:0,1, cuda:all)", "cpu")
            self.number("ranks", "Ranks (processes)", whole=True, hint="one for each device")
            self.choice("precision", "Precision", list(PRECISIONS), "float32")
            self.choice("gradient_precision", "Gradients between ranks", list(PRECISIONS),
                        "float32")  # fmt: skip
            self.number("threads", "Threads that read images", whole=True, hint="by the processors")
            limit = self.given.get("memory_limit")
            self._limit = self.text("limit", "Memory limit (such as 2GiB)")
            self._limit.value = str(limit) if limit else ""
            self.check("recompute", "Recompute cheap layers to save memory")
            self.check("fuse", "Fuse layers", usual=True)
            self.check("tf32", "TF32 on a GPU")
            self.check("sync_batch_norm", "BatchNorm over the batch of all ranks")

    def values(self) -> dict[str, Any]:
        """The values; constants of other update rules are left out."""
        found = super().values()
        rates, limit = found.pop("lrs") or [0.01], found.pop("limit").strip()
        found.update(lr=rates[0], lrs=rates if len(rates) > 1 else [])
        found["memory_limit"] = parse_byte_count(limit) if limit else None
        found.update({name: None for name in CONSTANTS if not self.shown[name].visible})
        return found

    def show_length(self, images: int, batch_size: int) -> None:
        """Draw the rate over a training of so many images."""
        self._length = (images, batch_size)
        self.fit()

    def fit(self) -> None:
        """Show the fields that the update rule and the network have."""
        text = self._text()
        own = constants_of(self.shown["solver"].value or "", text)
        for name in CONSTANTS:
            self.shown[name].set_visibility(name in own)
        self._draw()

    def _draw(self) -> None:
        try:
            found = super().values()
            images, own = self._length
            usual = "torch_sgd" if is_lua(self._text()) else None
            form = CurveForm.model_validate(
                {
                    **{name: found[name] for name in _SCHEDULE},
                    "lr_policy": found["lr_policy"] or usual,
                    "lr": (found["lrs"] or [0.01])[0],
                    "epochs": found["epochs"],
                    "images": images or None,
                    "batch_size": (found["batch_sizes"] or [own or DEFAULT_BATCH])[0],
                }
            )
            curve = policy_curve(form)
        except (ValueError, ProtonetError):
            return
        rate = {"learning rate": curve.points}
        self.curve.show(charts.curves(rate, x=curve.x, zoom=False))

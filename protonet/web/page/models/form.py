"""The form of a new model: the network editor, solver settings, and submission of trainings."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from protonet import resources
from protonet.errors import Mistake, ProtonetError
from protonet.jobs.run.settings import DEFAULT_BATCH
from protonet.precision import PRECISIONS
from protonet.sizes import byte_count
from protonet.web import forms, submission
from protonet.web.checks import SupersededError
from protonet.web.datasets import Databases
from protonet.web.learning_rate import policy_curve
from protonet.web.networks import NetworkReport
from protonet.web.page import charts
from protonet.web.page.frame import panel
from protonet.web.page.models.editor import Checked, NetworkEditor
from protonet.web.page.parts import notify_errors
from protonet.web.site import Site
from protonet.web.store import ABORT, DATASET, DONE, TRAINING

_POLICIES = {
    "fixed": "Fixed", "step": "Step down", "multistep": "Step down at several points",
    "exp": "Exponential decay", "inv": "Inverse decay", "poly": "Polynomial decay",
    "sigmoid": "Sigmoid decay", "cosine": "Cosine",
}  # fmt: skip
_SOLVERS = ["SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam", "AdamW"]


class NewModel:
    """The form. ``given`` are the values of a cloned training."""

    def __init__(self, site: Site, given: dict[str, Any]) -> None:
        self.site = site
        self.given = given
        self._length = (0, 0)  # images per epoch and per batch, once a check has reported them
        self._looked: NetworkReport | None = None
        with panel("Data and name"), ui.element("div").classes("fields"):
            self._data()
        with panel("Network"):
            self._network()
        with panel("Solver"):
            self._solver()
        with panel("Start from weights"), ui.element("div").classes("fields"):
            self._weights()
        ui.button("Train", icon="play_arrow", on_click=self._train).props("size=lg no-caps")

    # Sections.

    def _data(self) -> None:
        known = {job.id: job.name for job in self.site.store.all(DATASET, [DONE])}
        chosen = self.given.get("dataset")
        self.dataset = ui.select(
            known, value=chosen if chosen in known else next(iter(known), None),
            label="Data set", on_change=self._again,
        ).props("outlined dense").classes("field")  # fmt: skip
        self.name = self._text("Name", "name", "model")

    def _network(self) -> None:
        with ui.row().classes("items-center gap-2"):
            standard = resources.example_networks()
            self.standard = ui.select(
                sorted(standard),
                label="Start from",
                on_change=lambda event: self._take(standard[event.value]),
            ).props("outlined dense options-dense").style("width: 15rem")  # fmt: skip
            ui.button("Visualize", icon="account_tree", on_click=self._visualize).props(
                "outline no-caps"
            )
        self.editor = NetworkEditor(self.given.get("network", ""), self._check, self._show_layers)
        self.layers = ui.column().classes("w-full")
        self.drawing = ui.column().classes("w-full")

    def _weights(self) -> None:
        runs = {job.id: job.name for job in self.site.store.all(TRAINING, [DONE, ABORT])}
        before = self.given.get("weights_of")
        self.weights = ui.select(
            {None: "None: random initialization", **runs}, value=before if before in runs else None,
            label="Weights of",
        ).props("outlined dense").classes("field")  # fmt: skip
        self.weights_at = self._text("Snapshot (last, best, or an iteration)", "weights_at", "last")
        self.mismatch = ui.checkbox(
            "Skip layers of other shapes", value=self.given.get("allow_mismatch", False)
        )

    def _solver(self) -> None:
        given = self.given
        with ui.element("div").classes("fields"):
            self.epochs = self._number("Epochs", "epochs", 30.0)
            self.batches = self._text(
                "Batch sizes (several make a sweep)", "batch_sizes", "", _listed
            )
            self.lrs = self._text("Learning rates (several make a sweep)", "lr", "0.01", _rate)
            self.solver = self._choice("Solver", "solver", _SOLVERS, "SGD")
            self.momentum = self._number("Momentum", "momentum", 0.9)
            self.decay = self._text(
                "Weight decay (default: rate / 100)", "weight_decay", "", _plain
            )
            self.policy = self._choice("Learning-rate policy", "lr_policy", _POLICIES, "multistep")
            self.steps = self._text("Steps (percent; default: the policy's)", "steps", "", _listed)
            self.gamma = self._text("Gamma", "gamma", "", _plain)
            self.power = self._text("Power", "power", "", _plain)
            self.warmup = self._number("Warm-up (iterations)", "warmup", 0)
            self.floor = self._text("Minimum learning rate", "min_lr", "0", _rate)
            self.early = self._text("Stop early after (validations)", "early_stop", "", _plain)
            self.average = self._text("Average weights (such as 0.999)", "average", "", _plain)
            self.accumulation = self._number("Batches per update", "accumulation", 1)
            self.snapshot_every = self._number(
                "Epochs between snapshots (0: at the end)", "snapshot_every", 1.0
            )
            self.val_every = self._number("Epochs between validations (0: none)", "val_every", 1.0)
            self.seed = self._number("Seed", "seed", 0)
            self.device = self._text("Device", "device", "cpu")
            self.precision = self._choice("Precision", "precision", list(PRECISIONS), "float32")
            self.mean = self._choice(
                "Mean", "mean", {"image": "Subtract the mean image", "none": "None"}, "image"
            )
            self.shuffle = ui.checkbox("Shuffle", value=given.get("shuffle", False))
        self.curve = ui.echart(charts.curves({}, x="epoch", zoom=False)).classes("chart middle")
        for field in (self.lrs, self.policy, self.steps, self.gamma, self.power, self.warmup,
                      self.floor, self.epochs, self.batches):  # fmt: skip
            field.on_value_change(self._draw_policy)
        self._draw_policy()

    def _text(self, label: str, key: str, usual: str, show: Any = str) -> Any:
        value = self.given.get(key)
        shown = usual if value in (None, [], "") else show(value)
        return ui.input(label, value=shown).props("outlined dense").classes("field")

    def _number(self, label: str, key: str, usual: float) -> Any:
        return ui.number(label, value=self.given.get(key, usual)).props(
            "outlined dense"
        ).classes("field")  # fmt: skip

    def _choice(self, label: str, key: str, options: Any, usual: str) -> Any:
        return ui.select(options, value=self.given.get(key, usual), label=label).props(
            "outlined dense options-dense"
        ).classes("field")  # fmt: skip

    # Event handlers.

    def _take(self, text: str) -> None:
        self.editor.text = text

    def _again(self) -> None:
        """Check the text again: the data, and so the shapes, have changed."""
        self.editor.check_again()

    def _databases(self) -> Databases | None:
        """Those of the chosen data set."""
        chosen = self.dataset.value
        return self.site.databases(self.site.store.get(chosen)) if chosen else None

    async def _check(self, text: str) -> Checked | None:
        self._looked = None
        try:
            report = await self.site.checks.inspect_network(
                text, self.site.workspace, self._databases(), session=id(self)
            )
        except SupersededError:
            return None
        except ProtonetError as error:
            return Checked((Mistake(str(error)),))
        self._looked = report
        told = f"{len(report.rows)} layers"
        if report.parameters:
            told += (
                f", {report.parameters:,} parameters, about {byte_count(report.training_bytes)} "
                "to train"
            )
        told += ". No mistakes."
        if report.ignored:
            told += f" Without effect: {', '.join(report.ignored)}."
        return Checked(report.mistakes, told)

    def _show_layers(self, checked: Checked) -> None:
        self.layers.clear()
        report = self._looked
        self._length = (report.images, report.batch_size) if report is not None else (0, 0)
        self._draw_policy()
        if report is None or checked.mistakes or not report.rows:
            return
        with self.layers, ui.expansion("Layers", value=True).classes("w-full"):
            rows = [
                {
                    "name": row.name,
                    "type": row.type,
                    "tops": ", ".join(_blob(*top) for top in row.tops),
                    "parameters": f"{row.parameters:,}" if row.parameters else "",
                    "used": "training" if report.deployed and row.name not in report.deployed
                    else "",
                }
                for row in report.rows
            ]  # fmt: skip
            columns = [
                {"name": key, "label": label, "field": key, "align": "left"}
                for key, label in (("name", "Layer"), ("type", "Type"), ("tops", "Tops"),
                                   ("parameters", "Parameters"), ("used", "Only for"))
            ]  # fmt: skip
            ui.table(rows=rows, columns=columns).props("flat dense").classes("w-full layers")

    async def _visualize(self) -> None:
        self.drawing.clear()
        with notify_errors():
            svg = await self.site.checks.draw(
                self.editor.text, self.site.workspace, self._databases()
            )
            with self.drawing:
                ui.label("Dashed lines: only for training or testing.").classes("quiet")
                with ui.element("div").classes("drawing"):
                    ui.html(svg.decode(), sanitize=False)

    def _draw_policy(self) -> None:
        try:
            rates = forms.numbers(self.lrs.value or "0.01", float)
            sizes, (images, own) = forms.numbers(self.batches.value or "", int), self._length
            form = forms.CurveForm.model_validate(
                {
                    "lr": (rates or [0.01])[0],
                    "lr_policy": self.policy.value,
                    "steps": forms.numbers(self.steps.value or "", float),
                    "gamma": _optional(self.gamma.value, float),
                    "power": _optional(self.power.value, float),
                    "warmup": int(self.warmup.value or 0),
                    "min_lr": _optional(self.floor.value, float) or 0.0,
                    "epochs": self.epochs.value,
                    "images": images or None,
                    "batch_size": (sizes or [own or DEFAULT_BATCH])[0],
                }
            )
            curve = policy_curve(form)
        except (ValueError, ProtonetError):
            return
        self.curve.options.clear()
        self.curve.options.update(
            charts.curves({"learning rate": curve.points}, x=curve.x, zoom=False)
        )
        self.curve.update()

    async def _train(self) -> None:
        with notify_errors():
            jobs = await submission.train(self.site, self._form())
            ui.navigate.to(f"/jobs/{jobs[0].id}" if len(jobs) == 1 else "/jobs")

    def _form(self) -> forms.TrainingForm:
        rates = forms.numbers(self.lrs.value or "", float)
        return forms.TrainingForm.model_validate(
            {
                "name": self.name.value,
                "network": self.editor.text,
                "dataset": self.dataset.value or "",
                "epochs": self.epochs.value,
                "batch_sizes": forms.numbers(self.batches.value or "", int),
                "lr": (rates or [0.01])[0],
                "lrs": rates if len(rates) > 1 else [],
                "solver": self.solver.value,
                "momentum": self.momentum.value,
                "weight_decay": _optional(self.decay.value, float),
                "lr_policy": self.policy.value,
                "steps": forms.numbers(self.steps.value or "", float),
                "gamma": _optional(self.gamma.value, float),
                "power": _optional(self.power.value, float),
                "warmup": int(self.warmup.value or 0),
                "min_lr": _optional(self.floor.value, float) or 0.0,
                "accumulation": int(self.accumulation.value or 1),
                "snapshot_every": self.snapshot_every.value,
                "val_every": self.val_every.value,
                "early_stop": _optional(self.early.value, int),
                "average": _optional(self.average.value, float),
                "seed": int(self.seed.value or 0),
                "device": self.device.value,
                "precision": self.precision.value,
                "mean": self.mean.value,
                "shuffle": self.shuffle.value,
                "weights_of": self.weights.value,
                "weights_at": self.weights_at.value,
                "allow_mismatch": self.mismatch.value,
                "notes": self.given.get("notes", ""),
            }
        )


def _optional(text: str, kind: Any) -> Any:
    return kind(text) if text and text.strip() else None


def _plain(value: Any) -> str:
    return f"{value:g}"


def _rate(value: Any) -> str:
    return f"{value:g}"


def _listed(values: Any) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _blob(name: str, shape: tuple[int, ...]) -> str:
    return f"{name} {' x '.join(map(str, shape))}".strip()

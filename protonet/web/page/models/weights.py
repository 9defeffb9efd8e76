"""The weights that a new model starts from, and what the network takes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nicegui import ui
from starlette.datastructures import UploadFile

from protonet.errors import ProtonetError
from protonet.graph.weights_report import DIFFERS, LOADED, NEW, WeightsReport
from protonet.jobs.checks.network_report import NetworkReport
from protonet.layers.base import shape_text
from protonet.web.page.file_field import FileField
from protonet.web.page.models.fields import Fields, Given
from protonet.web.page.parts import message_of, notify_errors, run_in_thread
from protonet.web.site import Site
from protonet.web.store import ABORT, DONE, TRAINING
from protonet.web.training_form import WeightsForm
from protonet.web.weights import KINDS, store_weights, weights_of

_STATES = {LOADED: "takes its weights", DIFFERS: "has other shapes", NEW: "is new"}
_NONE: dict[str | None, str] = {None: "None: random initialization"}


class WeightsSection(Fields):
    """The section. ``changed`` is called when other weights are chosen."""

    def __init__(self, site: Site, given: Given, changed: Callable[[], None]) -> None:
        super().__init__(given)
        self.site = site
        self._problem = ""
        chosen = given.get("weights_of")
        first = {job.id: job.name for job in site.store.some([chosen] if chosen else [])}
        with ui.element("div").classes("fields"):
            runs = self.choice("weights_of", "Weights of", {**_NONE, **first})
            runs.on("popup-show", self._list_runs)
            self.text("weights_at", "Snapshot (last, best, or an iteration)", "last")
            self.text("weights", "Weights file on the server")
            self._upload = FileField(
                "or upload a file of weights", self._uploaded,
                most=site.workspace.limits.upload, accept=",".join(KINDS),
            )  # fmt: skip
            self.check("allow_mismatch", "Skip layers of other shapes")
        self._place = ui.column().classes("w-full gap-2 weights").props('role="status"')
        for field in self.shown.values():
            field.on_value_change(changed)

    def _list_runs(self) -> None:
        """Offer all trainings, which may be many: once somebody looks for one."""
        runs = self.site.store.all(TRAINING, [DONE, ABORT])
        if len(self.shown["weights_of"].options) <= len(runs):
            self.shown["weights_of"].set_options(_NONE | {job.id: job.name for job in runs})

    def values(self) -> dict[str, Any]:
        """The values; an empty name of a file is none."""
        found = super().values()
        return {**found, "weights": found["weights"].strip() or None}

    async def file(self) -> Path | None:
        """The chosen file of weights, None for none, and for one that cannot be used: that is told
        by ``show``.
        """
        self._problem = ""
        try:
            form = WeightsForm.model_validate(self.values())
            return await run_in_thread(weights_of, self.site, form)
        except (ProtonetError, ValueError) as error:
            self._problem = message_of(error)
            return None

    def show(self, report: NetworkReport | None) -> None:
        """Show what the network takes of the weights, or why they cannot be used."""
        self._tell(self._problem or ("" if report is None else report.weights_error))
        if report is not None and report.weights is not None:
            with self._place:
                show_weights(report.weights)

    async def _uploaded(self, files: Sequence[UploadFile]) -> None:
        self._upload.reset()
        with notify_errors():
            for each in files:
                stored = await run_in_thread(
                    store_weights, self.site.workspace, each.filename or "", each.file
                )
                self.shown["weights_of"].value = None
                self.shown["weights"].value = stored

    def _tell(self, problem: str) -> None:
        self._place.clear()
        if problem:
            with self._place:
                ui.label(problem).classes("told mistake").props('role="alert"')


def show_weights(report: WeightsReport) -> None:
    """The table of the layers with parameters, and the weights that no layer takes."""
    ui.label(told(report)).classes("verdict")
    rows = [
        {
            "name": layer.name,
            "type": layer.type,
            "state": _STATES[layer.state],
            "found": ", ".join(map(shape_text, layer.found)) or "\u2013",
            "expected": ", ".join(map(shape_text, layer.expected)),
        }
        for layer in report.layers
    ]
    rows += [
        {
            "name": each.name, "type": "\u2013", "state": "is unused",
            "found": ", ".join(map(shape_text, each.found)), "expected": "\u2013",
        }
        for each in report.unused
    ]  # fmt: skip
    columns = [
        {"name": key, "label": label, "field": key, "align": "left"}
        for key, label in (("name", "Layer"), ("type", "Type"), ("state", "Weights"),
                           ("found", "In the file"), ("expected", "In the network"))
    ]  # fmt: skip
    ui.table(rows=rows, columns=columns).props("flat dense").classes("w-full")


def told(report: WeightsReport) -> str:
    """The report as a line."""
    counts = (("Other shapes", len(report.names(DIFFERS))), ("New", len(report.names(NEW))),
              ("Unused in the file", len(report.unused)))  # fmt: skip
    taken = f"Layers that take their weights: {len(report.names(LOADED))} of {len(report.layers)}."
    return " ".join([taken, *(f"{what}: {count}." for what, count in counts if count)])

"""The curves of a training: losses, outputs, speed and memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from nicegui import ui

from protonet.web.curves import Axis, CurveOptions, Curves, curves_of
from protonet.web.page import charts
from protonet.web.page.chart import Chart, as_json
from protonet.web.page.parts import run_in_thread
from protonet.web.recent import Recent
from protonet.web.site import Site
from protonet.web.store import Job
from protonet.web.workspace import Workspace

_AXES: dict[Axis, str] = {"iteration": "Iterations", "epoch": "Epochs", "seconds": "Time"}
_MIB = 2**20


class CurvePanel:
    """The charts and their controls. A chart without values is not shown."""

    def __init__(self, site: Site, job: Job) -> None:
        self.site, self.job = site, job
        with ui.row().classes("items-center gap-4"):
            self.x = ui.toggle(_AXES, value="iteration", on_change=self.redraw).props(
                'no-caps dense aria-label="Horizontal axis"'
            )
            self.log_scale = ui.checkbox("Log scale", on_change=self.redraw)
            with ui.row().classes("items-center gap-2 no-wrap"):
                ui.label("Smoothing")
                self.smoothing = ui.slider(min=0, max=0.99, step=0.01, value=0).props(
                    'label aria-label="Smoothing" debounce=150'
                )
                self.smoothing.style("width: 9rem").on_value_change(self.redraw)
            ui.label("Drag or scroll over the chart to zoom.").classes("quiet")
        self.empty = ui.label("No values yet.").classes("quiet")
        self.losses = _Chart("Losses")
        self.outputs = _Chart("Outputs of the validation")
        self.machine = _Chart("Speed and memory", "chart middle")

    async def redraw(self) -> None:
        """Read the metrics and draw them as the controls say."""
        options = CurveOptions(x=self.x.value, smoothing=float(self.smoothing.value or 0))
        log = bool(self.log_scale.value)
        drawn = await run_in_thread(_drawn, self.site.workspace, self.job, options, log)
        self.empty.set_visibility(drawn.losses is None)
        self.losses.show(drawn.losses)
        self.outputs.show(drawn.outputs)
        self.machine.show(drawn.machine)


@dataclass(frozen=True)
class _Drawn:
    """The charts of some curves, None without values: made once for all who look at them."""

    curves: Curves
    losses: orjson.Fragment | None
    outputs: orjson.Fragment | None
    machine: orjson.Fragment | None


_DRAWN: Recent[_Drawn] = Recent(100)


def _drawn(workspace: Workspace, job: Job, options: CurveOptions, log: bool) -> _Drawn:
    curves = curves_of(workspace, job, options)  # the same ones until something has changed
    key = (workspace.job(job.id), options, log)
    return _DRAWN.of(key, (id(curves),), lambda: _draw(curves, log=log))


def _draw(curves: Curves, *, log: bool) -> _Drawn:
    has_losses, has_machine = curves.loss or curves.validation_loss, curves.speed or curves.memory
    return _Drawn(
        curves,
        as_json(losses(curves, log=log)) if has_losses else None,
        as_json(outputs(curves)) if curves.outputs else None,
        as_json(machine(curves)) if has_machine else None,
    )


def outputs(curves: Curves) -> dict[str, Any]:
    """The chart of the outputs of validations; smoothed curves over pale raw ones."""
    smoothed = {name: curves.smoothed[name] for name in curves.outputs if curves.smoothed}
    return charts.curves(
        smoothed or curves.outputs, x=curves.x, dots=True, pale=curves.outputs if smoothed else None
    )


def losses(curves: Curves, *, log: bool) -> dict[str, Any]:
    """The chart of the losses and the learning rate; smoothed curves over pale raw ones."""
    raw = {"training loss": curves.loss, "validation loss": curves.validation_loss}
    raw = {name: points for name, points in raw.items() if points}
    shown = dict(raw)
    for name, key in (("training loss", "loss"), ("validation loss", "validation_loss")):
        if name in raw and key in curves.smoothed:
            shown[name] = curves.smoothed[key]
    return charts.curves(
        shown, x=curves.x, y="loss", log=log, pale=raw if curves.smoothed else None,
        right={"learning rate": curves.rate}, right_name="learning rate",
    )  # fmt: skip


def machine(curves: Curves) -> dict[str, Any]:
    """The chart of the images per second and of the memory."""
    memory = [(x, None if y is None else round(y / _MIB, 1)) for x, y in curves.memory]
    return charts.curves(
        {"images per second": curves.speed} if curves.speed else {}, x=curves.x,
        y="images per second" if curves.speed else "", zoom=False,
        right={"memory in MiB": memory} if memory else None, right_name="MiB",
    )  # fmt: skip


class _Chart:
    """A chart that is there only while it has values: a hidden one would get no size."""

    def __init__(self, name: str, classes: str = "chart") -> None:
        self.name, self.classes = name, classes
        self.place = ui.element("div").classes("w-full")
        self.chart: Chart | None = None

    def show(self, options: orjson.Fragment | None) -> None:
        """Draw, or nothing without values."""
        if options is None:
            self.place.clear()
            self.chart = None
        elif self.chart is None:
            with self.place:
                self.chart = Chart(options).classes(self.classes)
                self.chart.props(f'role="img" aria-label="{self.name}"')
        else:
            self.chart.show(options)

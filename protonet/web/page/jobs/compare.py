"""Comparison of several trainings on one chart."""

from __future__ import annotations

from nicegui import ui

from protonet.web.page import charts
from protonet.web.page.deferred import filled_deferred
from protonet.web.page.frame import frame, heading, panel
from protonet.web.page.parts import notify_errors, run_in_thread
from protonet.web.progress import Curves, curves_of
from protonet.web.site import Site
from protonet.web.store import TRAINING, Job

_KINDS = {"loss": "Training loss", "validation_loss": "Validation loss", "rate": "Learning rate"}


def add(site: Site) -> None:
    """Add the page."""

    @ui.page("/compare")
    def compare_page(jobs: str = "") -> None:
        with frame("Compare", "Jobs"):
            heading("Compare")
            with notify_errors():
                found = [site.get(each, TRAINING) for each in jobs.split(",")[:20] if each]
                filled_deferred("Reading the trainings ...", lambda: _fill(site, found))


async def _fill(site: Site, jobs: list[Job]) -> None:
    """Fill in the chart: metrics of long trainings take a while to read."""
    curves = {
        f"{job.name} ({job.id[-6:]})": await run_in_thread(curves_of, site.workspace, job)
        for job in jobs
    }
    with panel():
        with ui.row().classes("items-center"):
            outputs = sorted({name for each in curves.values() for name in each.outputs})
            kinds = {**_KINDS, **{name: name for name in outputs}}
            kind = ui.select(kinds, value="loss", label="What").props("outlined dense")
            log = ui.checkbox("Log scale", value=True)
        chart = ui.echart(_chart(curves, "loss", log=True)).classes("chart")

    def draw() -> None:
        chart.options.clear()
        chart.options.update(_chart(curves, kind.value, log=log.value))
        chart.update()

    kind.on_value_change(draw)
    log.on_value_change(draw)


def _chart(curves: dict[str, Curves], kind: str, *, log: bool) -> dict[str, object]:
    series = {
        name: getattr(each, kind) if kind in _KINDS else each.outputs.get(kind, [])
        for name, each in curves.items()
    }
    return charts.curves(series, y=_KINDS.get(kind, kind), log=log)

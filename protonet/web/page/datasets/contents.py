"""The page of a data set: its contents, or the log of its creation."""

from __future__ import annotations

from nicegui import ui

from protonet.data.database import Database
from protonet.web.data_url import data_url
from protonet.web.datasets import Databases, Part, Report, Sample, mean_picture
from protonet.web.datasets.classes import Classes
from protonet.web.datasets.samples import Shown, images_of, mean_pixel, samples_of
from protonet.web.page import charts
from protonet.web.page.chart import Chart
from protonet.web.page.datasets.figures import figures
from protonet.web.page.datasets.making import show_making
from protonet.web.page.datasets.shares import show_shares
from protonet.web.page.deferred import filled_deferred
from protonet.web.page.frame import facts, panel
from protonet.web.page.jobs.job_bar import job_bar, notes_field
from protonet.web.page.parts import notify_errors, run_in_thread
from protonet.web.recent import Recent
from protonet.web.site import Site
from protonet.web.store import DONE, Job

_SHOWN, _SIDE = 24, 256
_COLOURS = {number: Classes().colour(number) for number in range(256)}
_FIRST: Recent[list[Sample]] = Recent(20)
_LABELS = {
    "classification": "class numbers",
    "detection": "boxes with classes",
    "segmentation": "a class for each pixel",
}


def show_dataset(site: Site, job: Job) -> None:
    """The page of one."""
    job_bar(site, job, ui.navigate.reload)
    notes_field(site, job)
    if job.status != DONE:
        show_making(site, job)
        return
    filled_deferred("Reading the images ...", lambda: _fill(site, job))


async def _fill(site: Site, job: Job) -> None:
    """Fill in the contents: inspection may take longer than a page request may."""
    databases = site.databases(job)
    report = await run_in_thread(site.reports.of, databases)
    _show_report(report)
    with panel("Train on it"), ui.row():
        ui.button("New model", on_click=lambda: ui.navigate.to(f"/models/new?dataset={job.id}"))
        ui.button(
            "Look through all images",
            on_click=lambda: ui.navigate.to(f"/datasets/{job.id}/explore"),
        ).props("outline")
    if report.form != "regression":
        with panel("Classes"):
            await show_shares(site, job)
    for part in report.parts:
        with notify_errors():
            await _show_part(databases, part)


async def _show_part(databases: Databases, part: Part) -> None:
    shown = await run_in_thread(_some, databases, part.name)
    with panel("Training images" if part.name == "train" else "Validation images"):
        figures(shown, _COLOURS)
        if part.name == "train":
            _show_mean(databases)
        with ui.element("div").classes("charts"):
            for each in part.histograms[:12]:
                option = charts.histogram(each.counts, each.edges, name=each.name, bars=each.bars)
                Chart(option).classes("chart low")


def _some(databases: Databases, part: str) -> list[Sample]:
    """The first images of a part, small; read again when the data set has changed."""
    return _FIRST.of((databases, part), databases.stamp(), lambda: _read_some(databases, part))


def _read_some(databases: Databases, part: str) -> list[Sample]:
    with Database(images_of(databases, part)) as images:
        keys = images.some_keys(0, _SHOWN)
    return samples_of(databases, part, keys, Shown(_SIDE))


def _show_report(report: Report) -> None:
    with panel("Contents"):
        for mistake in report.mistakes:
            with ui.row().classes("mistake w-full no-wrap"):
                ui.icon("error", color="negative")
                ui.label(mistake)
        for part in report.parts:
            label = _LABELS.get(report.form) or f"{_by(part.label or ())} numbers"
            facts(
                {
                    "part": "training" if part.name == "train" else "validation",
                    "images": f"{part.count:,}",
                    "channels x height x width": _by(part.shape),
                    "stored": "encoded" if part.encoded else "pixels",
                    "labels": label,
                    "looked at": f"{part.looked_at:,}",
                }
            )
        if report.parts and not report.mistakes:
            with ui.row().classes("items-center gap-1"):
                ui.icon("check_circle", color="positive")
                paired = report.parts[0].label is not None
                ui.label("Images and labels are paired by key." if paired else "No mistakes found.")
        if report.classes:
            ui.label(f"{len(report.classes)} classes: {', '.join(report.classes[:20])}")


def _show_mean(databases: Databases) -> None:
    if databases.mean is None:
        return
    with ui.row().classes("items-center gap-3"):
        source = data_url(mean_picture(databases))
        ui.element("img").props(f'src="{source}" alt="mean image"').classes("mean")
        pixel = ", ".join(f"{value:.2f}" for value in mean_pixel(databases))
        ui.label(f"Mean image; mean pixel {pixel}").classes("quiet number")


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))

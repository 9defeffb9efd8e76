"""The page of a data set: its contents, or the log of its creation."""

from __future__ import annotations

from nicegui import ui

from protonet.web.datasets import Databases, Report, Reports, Sample, mean_picture, samples
from protonet.web.page import charts
from protonet.web.page.datasets.making import show_making
from protonet.web.page.deferred import filled_deferred
from protonet.web.page.frame import facts, panel
from protonet.web.page.jobs.job_bar import job_bar
from protonet.web.page.parts import run_in_thread
from protonet.web.site import Site
from protonet.web.store import DONE, Job
from protonet.web.views import data_url

_SHOWN = 24
_LABELS = {
    "classification": "class numbers",
    "detection": "boxes with classes",
    "segmentation": "a class for each pixel",
}


def show_dataset(site: Site, job: Job, reports: Reports) -> None:
    """The page of one."""
    job_bar(site, job, ui.navigate.reload)
    if job.status != DONE:
        show_making(site, job)
        return
    filled_deferred("Reading the images ...", lambda: _fill(job, site.databases(job), reports))


async def _fill(job: Job, databases: Databases, reports: Reports) -> None:
    """Fill in the contents: inspection may take longer than a page request may."""
    report = await run_in_thread(reports.of, databases)
    _show_report(report)
    with panel("Train on it"):
        ui.button("New model", on_click=lambda: ui.navigate.to(f"/models/new?dataset={job.id}"))
    for part in report.parts:
        shown = await run_in_thread(samples, databases, part.name, 0, _SHOWN)
        with panel("Training images" if part.name == "train" else "Validation images"):
            _show_samples(shown)
            if part.name == "train":
                _show_mean(databases)
            with ui.element("div").classes("charts"):
                for each in part.histograms[:12]:
                    option = charts.histogram(
                        each.counts, each.edges, name=each.name,
                        bars=each.bars,
                    )  # fmt: skip
                    ui.echart(option).classes("chart low")


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


def _show_samples(shown: list[Sample]) -> None:
    with ui.element("div").classes("samples"):
        for sample in shown:
            with ui.element("figure"):
                told = sample.class_name or ", ".join(f"{v:.3g}" for v in (sample.label or ())[:6])
                source = data_url(sample.png)
                ui.element("img").props(f'src="{source}" alt="image {_plain(sample.key)}"')
                ui.label(told).classes("quiet number")


def _show_mean(databases: Databases) -> None:
    if databases.mean is None:
        return
    with ui.row().classes("items-center gap-3"):
        source = data_url(mean_picture(databases))
        ui.element("img").props(f'src="{source}" alt="mean image"').classes("mean")
        ui.label("Mean image").classes("quiet")


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _plain(text: str) -> str:
    return "".join(c for c in text if c.isalnum() or c in "_-. ")

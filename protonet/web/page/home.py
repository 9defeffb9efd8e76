"""The home page: first steps and recent jobs."""

from __future__ import annotations

from nicegui import ui

from protonet.web.job_query import JobQuery
from protonet.web.page.frame import frame, heading, page, panel
from protonet.web.page.rows import jobs_table
from protonet.web.site import Site

_STEPS = (
    ("1. A data set", "Create one, use existing databases, or upload images with labels.",
     "/datasets/new", "New data set"),
    ("2. A model", "Paste a network; mistakes are marked as you type.", "/models/new", "New model"),
    ("3. A test", "Watch the training, then test the net on an image.", "/jobs", "All jobs"),
)  # fmt: skip


def add(site: Site) -> None:
    """Add the page."""

    @page("/")
    def home() -> None:
        with frame("Home"):
            heading("protonet", "Train and test Caffe networks.")
            with ui.element("div").classes("steps"):
                for title, told, target, button in _STEPS:
                    with panel(title):
                        ui.label(told).classes("quiet")
                        ui.button(button, on_click=lambda target=target: ui.navigate.to(target))
            with panel("Last jobs"):
                jobs_table(site.store.page(JobQuery(), 0, 8).jobs)

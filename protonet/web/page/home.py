"""The first page: what can be done here, in order, and what was done last."""

from __future__ import annotations

from nicegui import ui

from protonet.web.page.frame import frame, heading, panel
from protonet.web.page.parts import jobs_table
from protonet.web.site import Site

_STEPS = (
    ("1. A data set", "Make one, name databases, or upload images with numbers.",
     "/datasets/new", "New data set"),
    ("2. A model", "Paste a network; mistakes are marked as you type.", "/models/new", "New model"),
    ("3. A test", "Watch it learn, then ask it about an image.", "/jobs", "All jobs"),
)  # fmt: skip


def add(site: Site) -> None:
    """Add the page."""

    @ui.page("/")
    def home() -> None:
        with frame("Networks that learn"):
            heading("protonet", "Caffe networks: pasted, trained, and asked about images.")
            with ui.element("div").classes("steps"):
                for title, told, target, button in _STEPS:
                    with panel(title):
                        ui.label(told).classes("quiet")
                        ui.button(button, on_click=lambda target=target: ui.navigate.to(target))
            with panel("Last jobs"):
                jobs_table(site.store.all()[:8])

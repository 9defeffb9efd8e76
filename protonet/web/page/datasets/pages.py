"""The pages of data sets: the list, a new one, and the contents of one."""

from __future__ import annotations

from nicegui import ui

from protonet.web.datasets import Reports
from protonet.web.page.datasets.contents import show_dataset
from protonet.web.page.datasets.creation import creation_tabs
from protonet.web.page.frame import frame, heading, panel
from protonet.web.page.parts import jobs_table, notify_errors
from protonet.web.site import Site
from protonet.web.store import DATASET


def add(site: Site) -> None:
    """Add the pages."""
    reports = Reports()

    @ui.page("/datasets")
    def list_page() -> None:
        with frame("Data sets", "Data sets"):
            heading("Data sets", "Images and labels to train on.")
            ui.button("New data set", on_click=lambda: ui.navigate.to("/datasets/new"))
            with panel():
                jobs_table(site.store.all(DATASET))

    @ui.page("/datasets/new")
    def new_page() -> None:
        with frame("New data set", "Data sets"):
            heading("New data set")
            with panel():
                creation_tabs(site)

    @ui.page("/datasets/{job_id}")
    def show_page(job_id: str) -> None:
        with frame("Data set", "Data sets"), notify_errors():
            show_dataset(site, site.get(job_id, DATASET), reports)

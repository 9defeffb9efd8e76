"""The pages of data sets: the list, a new one, and the contents of one."""

from __future__ import annotations

from nicegui import ui

from protonet.errors import UsageError
from protonet.web.job_query import JobQuery
from protonet.web.page.datasets.contents import show_dataset
from protonet.web.page.datasets.creation import creation_tabs
from protonet.web.page.datasets.explore import Explorer
from protonet.web.page.deferred import filled_deferred
from protonet.web.page.frame import FORM_KEPT, frame, heading, page, panel
from protonet.web.page.jobs.job_list import JobList
from protonet.web.page.parts import notify_errors
from protonet.web.site import Site
from protonet.web.store import DATASET, DONE


def add(site: Site) -> None:
    """Add the pages."""

    @page("/datasets")
    def list_page() -> None:
        with frame("Data sets", "Data sets"):
            heading("Data sets", "Images and labels to train on.")
            ui.button("New data set", on_click=lambda: ui.navigate.to("/datasets/new"))
            with panel():
                JobList(site, JobQuery(DATASET))

    @page("/datasets/new", kept=FORM_KEPT)
    def new_page() -> None:
        with frame("New data set", "Data sets"):
            heading("New data set")
            with panel():
                creation_tabs(site)

    @page("/datasets/{job_id}/explore")
    def explore_page(job_id: str) -> None:
        with frame("Images", "Data sets"), notify_errors():
            job = site.get(job_id, DATASET)
            if job.status != DONE:
                raise UsageError(f"the data set '{job.name}' is not ready: {job.status}")
            heading(job.name)
            ui.link("Contents", f"/datasets/{job.id}")
            filled_deferred("Opening the images ...", Explorer(site, job).build)

    @page("/datasets/{job_id}")
    def show_page(job_id: str) -> None:
        with frame("Data set", "Data sets"), notify_errors():
            show_dataset(site, site.get(job_id, DATASET))

"""The list of models, and the page of a new one."""

from __future__ import annotations

from nicegui import ui

from protonet.web.job_query import JobQuery
from protonet.web.page.frame import FORM_KEPT, frame, heading, page, panel
from protonet.web.page.jobs.job_list import JobList
from protonet.web.page.models.form import NewModel
from protonet.web.page.parts import notify_errors
from protonet.web.site import Site
from protonet.web.store import TRAINING


def add(site: Site) -> None:
    """Add the pages."""

    @page("/models")
    def list_page() -> None:
        with frame("Models", "Models"):
            heading("Models", "Networks and their trainings.")
            ui.button("New model", on_click=lambda: ui.navigate.to("/models/new"))
            with panel():
                JobList(site, JobQuery(TRAINING))

    @page("/models/new", kept=FORM_KEPT)
    def new_page(dataset: str = "", clone: str = "") -> None:
        with frame("New model", "Models"), notify_errors():
            heading(
                "New model",
                "Paste a network of Caffe or Torch7; data layers are added automatically.",
            )
            given = site.get(clone, TRAINING).settings["form"] if clone else {}
            NewModel(site, {**given, **({"dataset": dataset} if dataset else {})})

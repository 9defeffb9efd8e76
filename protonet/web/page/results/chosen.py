"""Chooses the tests of a training by the form of its data set."""

from __future__ import annotations

from types import ModuleType

from nicegui import ui

from protonet.jobs.run.directory import RunDirectory
from protonet.web.datasets.databases import Form
from protonet.web.page.results import classification, detection, numbers, segmentation
from protonet.web.page.results.panel import Place, snapshot_selection
from protonet.web.site import Site
from protonet.web.store import Job

MODULES: dict[Form, ModuleType] = {
    "classification": classification,
    "regression": numbers,
    "detection": detection,
    "segmentation": segmentation,
}
"""The module of each form."""


def test_panel(site: Site, job: Job, run: RunDirectory) -> ui.select:
    """The forms and results of tests; returns the selection of the snapshot."""
    with ui.element("div").classes("fields"):
        snapshot = snapshot_selection(run)
    place = Place(site, job, run, snapshot)
    module = MODULES[place.databases.form]
    module.test_one(place)
    module.test_many(place)
    return snapshot

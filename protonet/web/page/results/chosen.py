"""Chooses the tests of a training by the form of its data set."""

from __future__ import annotations

from types import ModuleType

from nicegui import ui

from protonet.jobs.predictions.boxes import BoxPredictions
from protonet.jobs.predictions.classes import ClassPredictions
from protonet.jobs.predictions.numbers import NumberPredictions
from protonet.jobs.predictions.pixels import PixelPredictions
from protonet.jobs.predictions.summary import Found
from protonet.jobs.run.directory import RunDirectory
from protonet.web.datasets.databases import Form
from protonet.web.page.results import classification, detection, numbers, segmentation
from protonet.web.page.results.many import ManyForm
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

_KINDS: dict[type[Found], ModuleType] = {
    ClassPredictions: classification,
    NumberPredictions: numbers,
    BoxPredictions: detection,
    PixelPredictions: segmentation,
}
"""The module that shows what a net has predicted, whatever its data set is."""


def test_panel(site: Site, job: Job, run: RunDirectory) -> None:
    """The forms and results of tests."""
    with ui.element("div").classes("fields"):
        snapshot = snapshot_selection(run)
    place = Place(site, job, run, snapshot)
    module = MODULES[place.databases.form]
    module.test_one(place)
    ManyForm(place, module.MANY, show).build()


async def show(found: Found) -> None:
    """The results of a test on many images."""
    await _KINDS[type(found)].show(found)

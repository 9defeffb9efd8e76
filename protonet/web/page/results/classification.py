"""Tests of classifiers: wrong images first, the confusion matrix, figures by class."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from protonet.jobs.predictions.classes import ClassedImage, ClassPredictions
from protonet.jobs.predictions.stored import BEST
from protonet.jobs.predictions.summary import ClassSummary
from protonet.web.page.frame import facts
from protonet.web.page.parts import run_in_thread
from protonet.web.page.results.confusion import Selection, matrix
from protonet.web.page.results.image import show_image
from protonet.web.page.results.many import ImagePages, Many, show_failures, show_picture
from protonet.web.page.results.panel import Place, image_form
from protonet.web.results.image import predict_image
from protonet.web.results.listing import Seen, summary

_ORDERS = {
    "wrong": "Wrong images, the surest first",
    "cell": "Images of a true and a predicted class",
    "likeliest": "Images by the score of the predicted class",
    "all": "All images in their order",
}


MANY = Many()


def test_one(place: Place) -> None:
    """The form and the answer for one image."""
    image_form(place, predict_image, show_image)


async def show(found: ClassPredictions) -> None:
    """The results of a test."""
    figures = await run_in_thread(summary, found)
    assert isinstance(figures, ClassSummary)
    await _Results(found, figures).build()


class _Results:
    def __init__(self, found: ClassPredictions, figures: ClassSummary) -> None:
        self.found, self.figures = found, figures

    async def build(self) -> None:
        """Add the figures, the matrix, the table, and the wrong images."""
        figures = self.figures
        told = {"images": f"{figures.count:,}", "iteration": f"{figures.iteration:,}"}
        if figures.known:
            told["accuracy"] = f"{figures.accuracy:.2%}"
            told[f"top-{min(BEST, len(self.found.classes))} accuracy"] = f"{figures.top_5:.2%}"
            told["wrong"] = f"{len(self.found.wrong):,}"
        facts(told)
        show_failures(figures.failed, figures.failures)
        if figures.known:
            if figures.confusion:
                matrix(
                    self.found.classes, figures.confusion, "images",
                    lambda truth, said: self.selection.pick(truth, said),
                )  # fmt: skip
            self._classes()
        orders = _ORDERS if figures.known else {k: _ORDERS[k] for k in ("likeliest", "all")}
        order = "wrong" if figures.known else "all"
        self.selection = Selection(orders, order, self.found.classes, self._choose)
        self.pages = ImagePages(self.found, _tell)
        await self._choose()

    def _classes(self) -> None:
        columns = [
            {"name": name, "label": name, "field": name, "sortable": True,
             "align": "left" if name == "class" else "right"}
            for name in ("class", "images", "predicted", "right", "recall", "precision")
        ]  # fmt: skip
        rows = [
            {"class": each.name, "images": each.images, "predicted": each.predicted,
             "right": each.right, "recall": _share(each.recall),
             "precision": _share(each.precision)}
            for each in self.figures.classes
        ]  # fmt: skip
        with ui.expansion("Figures by class", value=len(rows) <= 20).classes("w-full"):
            ui.table(rows=rows, columns=columns, row_key="class", pagination=20).props(
                "flat dense"
            ).classes("w-full")

    async def _choose(self) -> None:
        query = self.selection.query
        title = {
            "wrong": "Wrong images",
            "cell": self.selection.cell,
            "likeliest": f"By the score of {self.found.classes[query.predicted or 0]}",
            "all": "All images",
        }[query.order]
        await self.pages.choose(query, title)


def _tell(seen: Seen) -> None:
    """What a classifier says about an image."""
    image = seen.image
    assert isinstance(image, ClassedImage)
    show_picture(seen)
    said, score = image.best[0]
    ui.label(f"{said} {score:.1%}").classes("number")
    if image.truth is not None and image.truth != said:
        ui.label(f"true: {image.truth}").classes("wrong")
    with ui.element("details"):
        with ui.element("summary"):
            ui.label(image.name).classes("quiet name-of-image")
        for name, each in image.best:
            ui.label(f"{each:.2%} {name}").classes("number quiet")


def _share(value: float) -> Any:
    """A share that sorts by its value."""
    return "" if value != value else f"{value:7.2%}"

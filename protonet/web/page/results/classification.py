"""Tests of classifiers: wrong images first, the confusion matrix, figures by class."""

from __future__ import annotations

from typing import Any

from nicegui import events, ui

from protonet.jobs.predictions.classes import ClassedImage, ClassPredictions
from protonet.jobs.predictions.stored import BEST
from protonet.jobs.predictions.summary import ClassSummary
from protonet.web.forms import ImagesQuery
from protonet.web.page import charts
from protonet.web.page.chart import Chart
from protonet.web.page.frame import facts
from protonet.web.page.parts import run_in_thread
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
        self.names = dict(enumerate(found.classes))

    async def build(self) -> None:
        """Add the figures, the matrix, the table, and the wrong images."""
        figures = self.figures
        told = {"images": f"{figures.count:,}", "iteration": f"{figures.iteration:,}"}
        if figures.known:
            told["accuracy"] = f"{figures.accuracy:.2%}"
            told[f"top-{min(BEST, len(self.names))} accuracy"] = f"{figures.top_5:.2%}"
            told["wrong"] = f"{len(self.found.wrong):,}"
        facts(told)
        show_failures(figures.failed, figures.failures)
        if figures.known:
            self._matrix()
            self._classes()
        self._selection()
        self.pages = ImagePages(self.found, _tell)
        await self._choose()

    def _matrix(self) -> None:
        if not self.figures.confusion:
            return
        ui.label(
            "Confusion matrix, a row for each true class: choose a cell to see its images."
        ).classes("quiet")
        option = charts.confusion(self.found.classes, self.figures.confusion)
        side = f"{min(40, 10 + 1.4 * len(self.names)):.0f}rem"
        with (
            ui.element("div")
            .classes("scrolls w-full")
            .props('tabindex=0 aria-label="Confusion matrix"')
        ):
            Chart(option, on_point_click=self._cell).style(
                f"height: {side}; width: {side}"
            ).classes("confusion")

    async def _cell(self, event: events.EChartPointClickEventArguments) -> None:
        assert isinstance(event.value, list)
        said, truth = (int(value) for value in event.value[:2])
        self.truth.value, self.predicted.value = truth, said
        self.order.value = "cell"
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

    def _selection(self) -> None:
        known = bool(self.figures.known)
        orders = _ORDERS if known else {k: _ORDERS[k] for k in ("likeliest", "all")}
        with ui.element("div").classes("fields"):
            self.order = ui.select(orders, value="wrong" if known else "all", label="Show")
            self.truth = ui.select(self.names, value=0, label="True class")
            self.predicted = ui.select(
                self.names, value=0, label="Predicted class", with_input=True
            )
            for field in (self.order, self.truth, self.predicted):
                field.props("outlined dense options-dense").classes("field")
                field.on_value_change(self._choose)

    async def _choose(self) -> None:
        order, truth, said = self.order.value, self.truth.value, self.predicted.value
        self.truth.set_visibility(order == "cell")
        self.predicted.set_visibility(order in ("cell", "likeliest"))
        title = {
            "wrong": "Wrong images",
            "cell": f"{self.names[truth]}, taken for {self.names[said]}",
            "likeliest": f"By the score of {self.names[said]}",
            "all": "All images",
        }[order]
        query = ImagesQuery(order=order, truth=truth, predicted=said)
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

"""Tests of detectors: one image with its boxes and a slider for the score, or a data set with
average precision, curves, and the images with most mistakes.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from nicegui import ui

from protonet.jobs.detection.pictures import color_of
from protonet.jobs.evaluation.detection import SCORE
from protonet.jobs.predictions.boxes import BoxedImage, BoxPredictions, BoxSummary, PlacedBox
from protonet.web.data_url import data_url
from protonet.web.forms import ImagesQuery
from protonet.web.page import charts
from protonet.web.page.chart import Chart
from protonet.web.page.frame import facts
from protonet.web.page.parts import run_in_thread
from protonet.web.page.results.many import ImagePages, Many
from protonet.web.page.results.panel import Place, image_form
from protonet.web.page.results.tables import class_table, figure_text
from protonet.web.results.detection import DetectedImage, detect_image
from protonet.web.results.listing import Seen

_THRESHOLD = 50
_SLIDE = """(e) => {
  const place = e.target.closest(".detected"), least = e.target.value / 100;
  let count = 0;
  for (const each of place.querySelectorAll("[data-score]")) {
    each.toggleAttribute("hidden", +each.dataset.score < least);
    count += each.tagName === "LI" && !each.hidden;
  }
  place.querySelector(".least").textContent = least.toFixed(2);
  place.querySelector(".count").textContent = count === 1 ? "1 box" : `${count} boxes`;
}"""
"""Acts in the browser: no request is made while the slider moves."""
_ORDERS = {"worst": "Images with most mistakes", "all": "All images in their order"}
_PAGE = 12


MANY = Many("A database of images with boxes.", labels="")


def test_one(place: Place) -> None:
    """The form and the answer for one image."""
    image_form(place, detect_image, show_image)


def show_image(answer: DetectedImage) -> None:
    """The image with its boxes, a slider for the least score, and the boxes as a list."""
    least = _THRESHOLD / 100
    count = sum(each.score >= least for each in answer.detections)
    size = answer.width, answer.height, answer.width, answer.height
    boxes = [
        PlacedBox(each.label, each.name, _fractions(each.box, size), each.score)
        for each in answer.detections
    ]
    with ui.element("div").classes("detected w-full"):
        with ui.element("label").classes("row items-center gap-2"):
            ui.label("Least score")
            slider = ui.element("input").props(
                f'type=range min=0 max=100 value={_THRESHOLD} aria-label="Least score of a box"'
            )
            slider.on("input", js_handler=_SLIDE)
            ui.label(f"{least:.2f}").classes("least number")
            told = "1 box" if count == 1 else f"{count} boxes"
            ui.label(told).classes("count quiet").props('role="status"')
        _boxed(answer.seen, "the image with its boxes", reversed(boxes), answer.colors, least)
        rows = "".join(_row(answer, place, least) for place in range(len(answer.detections)))
        ui.html(rows, sanitize=False, tag="ul").classes("found").props('aria-label="Boxes"')
        if answer.note:
            ui.label(answer.note).classes("quiet")
        ui.label(f"Weights of iteration {answer.snapshot}").classes("quiet")


def _fractions(
    box: tuple[float, float, float, float], size: tuple[int, int, int, int]
) -> tuple[float, float, float, float]:
    left, top, right, bottom = (
        value / max(1, whole) for value, whole in zip(box, size, strict=True)
    )
    return left, top, right, bottom


def _row(answer: DetectedImage, place: int, least: float) -> str:
    each = answer.detections[place]
    corners = ", ".join(f"{value:.0f}" for value in each.box)
    return (
        f'<li data-score="{each.score:.6f}"{_hidden(each.score, least)}>'
        f'<i style="background:{answer.colors[each.label]}"></i><span>{escape(each.name)}</span>'
        f"<span>{each.score:.3f}</span><span>{corners}</span></li>"
    )


def _hidden(score: float | None, least: float) -> str:
    return " hidden" if score is not None and score < least else ""


def _boxed(
    png: bytes, alt: str, boxes: Iterable[PlacedBox], colors: dict[int, str], least: float = 0.0
) -> None:
    """An image with boxes: those that were found are solid and have a tag, true ones dashed."""
    rectangles, tags = "", ""
    for box in boxes:
        left, top, right, bottom = box.corners
        color = colors.get(box.label, "#333333")
        score = "" if box.score is None else f' data-score="{box.score:.6f}"'
        score += _hidden(box.score, least)
        kind = ' class="true"' if box.score is None else ""
        rectangles += (
            f'<rect{kind}{score} x="{left:.5f}" y="{top:.5f}" width="{max(0.0, right - left):.5f}" '
            f'height="{max(0.0, bottom - top):.5f}" stroke="{color}"><title>{escape(box.name)}'
            "</title></rect>"
        )
        if box.score is not None:
            inside = " inside" if top < 0.05 else ""
            tags += (
                f'<span class="tag{inside}"{score} style="left:{100 * left:.2f}%;'
                f'top:{100 * top:.2f}%;background:{color}">{escape(box.name)} '
                f"{box.score:.2f}</span>"
            )
    name = escape("".join(c for c in alt if c.isprintable()), quote=True)
    picture = (
        f'<img src="{data_url(png)}" alt="{name}"><svg viewBox="0 0 1 1" '
        f'preserveAspectRatio="none" aria-hidden="true">{rectangles}</svg>{tags}'
    )
    ui.html(picture, sanitize=False, tag="span").classes("boxed")


async def show(found: BoxPredictions) -> None:
    """The results of a test: figures, curves, and pages of images, at a least score to choose."""
    await _Results(found).build()


class _Results:
    def __init__(self, found: BoxPredictions) -> None:
        self.found = found
        self.colors = {label: color_of(label) for label in found.report.labels}

    async def build(self) -> None:
        """Add all of it."""
        figures = await self._figures(SCORE)
        _facts(figures)
        _curves(figures)
        with ui.element("div").classes("fields"):
            self.least = ui.number("Least score", value=SCORE, min=0, max=1, step=0.05)
            self.least.props("outlined dense debounce=400").classes("field")
            self.order = ui.select(_ORDERS, value="worst", label="Show")
            self.order.props("outlined dense options-dense").classes("field")
        self.by_class = ui.column().classes("w-full gap-1")
        ui.label("True boxes are dashed, found ones solid.").classes("quiet")
        self.pages = ImagePages(self.found, self._draw, "mistakes-of images", _PAGE)
        self.least.on_value_change(self._look)
        self.order.on_value_change(self._list)
        await self._look()

    async def _figures(self, score: float) -> BoxSummary:
        return await run_in_thread(self.found.summary, score)

    def _score(self) -> float:
        return SCORE if self.least.value is None else float(self.least.value)

    async def _look(self) -> None:
        """Show what depends on the least score."""
        if not 0 <= self._score() <= 1:
            return
        figures = await self._figures(self._score())
        self.by_class.clear()
        with self.by_class:
            _by_class(figures)
        await self._list()

    async def _list(self) -> None:
        query = ImagesQuery(order=self.order.value, threshold=self._score())
        await self.pages.choose(query, _ORDERS[self.order.value])

    def _draw(self, seen: Seen) -> None:
        image = seen.image
        assert isinstance(image, BoxedImage)
        if seen.png is not None:
            boxes = (*image.truths, *image.found)
            _boxed(seen.png, f"image {image.name}", boxes, self.colors)
        with ui.element("figcaption"):
            alarms = "1 false alarm" if image.false == 1 else f"{image.false} false alarms"
            ui.label(f"{image.missed} missed, {alarms}").classes("number")
            ui.label(image.name).classes("quiet number ellipsis")


def _facts(found: BoxSummary) -> None:
    mean = found.mean
    facts({
        "images": f"{found.count:,}",
        "objects": f"{mean.objects:,}",
        "iteration": f"{found.iteration:,}",
        "mAP, 11 points": figure_text(mean.eleven_points),
        "mAP, area": figure_text(mean.area),
        "mAP, integral": figure_text(mean.integral),
        "mAP, COCO": figure_text(mean.coco),
        "COCO at 0.5": figure_text(mean.coco50),
        "COCO at 0.75": figure_text(mean.coco75),
        **{f"COCO, {name}": figure_text(value) for name, value in found.sizes.items()},
    })  # fmt: skip


def _by_class(found: BoxSummary) -> None:
    class_table(
        "Figures by class",
        ("class", "objects", "AP 11 points", "AP area", "AP integral", "COCO", "precision",
         "recall", "false alarms"),
        [
            (each.name, f"{each.objects:,}",
             *map(figure_text, (each.eleven_points, each.area, each.integral, each.coco,
                                each.precision, each.recall)),
             f"{each.wrong:,}")
            for each in (*found.classes, found.mean)
        ],
        [*(found.colors[each.label] for each in found.classes), ""],
    )  # fmt: skip
    told_of = f"Precision, recall and mistakes at a score of {found.threshold:g} or more."
    ui.label(told_of).classes("quiet")


def _curves(found: BoxSummary) -> None:
    """Precision over recall of each class."""
    series = {
        each.name: points
        for each, points in zip(found.classes, found.curves, strict=True)
        if points
    }
    option: dict[str, Any] = charts.curves(series, x="recall", y="precision", zoom=False)
    option["xAxis"] |= {"min": 0, "max": 1}
    option["yAxis"][0] |= {"min": 0, "max": 1}
    colors = {each.name: found.colors[each.label] for each in found.classes}
    for curve in option["series"]:
        curve["color"] = colors[curve["name"]]
    ui.label(f"Precision over recall at an overlap of {found.overlap:g}").classes("text-bold")
    Chart(option).classes("chart")

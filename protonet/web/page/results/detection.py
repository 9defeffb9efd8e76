"""Tests of detectors: one image with its boxes and a slider for the score, or a data set with
average precision, curves, and the images with most mistakes.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from nicegui import ui

from protonet.web.data_url import data_url
from protonet.web.page import charts
from protonet.web.page.frame import facts, panel
from protonet.web.page.parts import notify_errors, run_in_thread
from protonet.web.page.results.panel import Place, image_form, shown_path
from protonet.web.page.results.tables import class_table, figure_text
from protonet.web.results.detection import (
    DetectedImage,
    DetectedImages,
    PlacedBox,
    WorstImage,
    detect_image,
)
from protonet.web.results.detection_routes import DetectForm, detect_many

_STYLE = """
.boxed { position: relative; display: block; line-height: 0; width: 100%; max-width: 40rem; }
.boxed img { width: 100%; image-rendering: pixelated; border-radius: 6px; }
.boxed svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.boxed rect { fill: none; stroke-width: 2.5px; vector-effect: non-scaling-stroke; }
.boxed rect.true { stroke-dasharray: 5 4; }
.boxed .tag { position: absolute; line-height: 1.2; font-size: .75rem; color: #fff;
  padding: 0 .25rem; white-space: nowrap; transform: translateY(-100%); }
.boxed .tag.inside { transform: none; }
.detected [data-score][hidden], .detected rect[hidden] { display: none; }
.found { padding: 0; margin: 0; list-style: none; width: 100%; }
.found li { display: grid; grid-template-columns: 1rem minmax(5rem, 8rem) 4rem 1fr; gap: .5rem;
  align-items: center; padding: .15rem 0; font-variant-numeric: tabular-nums; }
.found i { width: 1rem; height: 1rem; border-radius: 3px; }
.mistakes-of { display: grid; gap: 1rem; width: 100%;
  grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); }
.mistakes-of figure { margin: 0; }
"""
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


def test_one(place: Place) -> None:
    """The form and the answer for one image."""
    ui.add_css(_STYLE)
    image_form(place, detect_image, show_image)


def test_many(place: Place) -> None:
    """The form and results of a data set."""
    with panel("Test many"):
        ui.label("A database of images with boxes.").classes("quiet")
        with ui.element("div").classes("fields"):
            val = place.databases.val_images
            images = ui.input("Images", value=shown_path(place, val))
            most = ui.number("At most", value=1000, min=1, max=10_000)
            least = ui.number("Least score", value=0.5, min=0, max=1, step=0.05)
            for entry in (images, most, least):
                entry.props("outlined dense").classes("field")

        async def many() -> None:
            answers.clear()
            with answers, ui.row().classes("items-center gap-2"):
                ui.spinner(size="sm")
                ui.label("Testing ...").classes("quiet").props('role="status"')
            with notify_errors():
                try:
                    form = DetectForm(
                        path=images.value or "", snapshot=place.snapshot.value,
                        most=int(most.value or 1000),
                        threshold=0.5 if least.value is None else least.value,
                    )  # fmt: skip
                    found = await run_in_thread(detect_many, place.site, place.job, form)
                finally:
                    answers.clear()
                with answers:
                    _show_many(found)

        ui.button("Test many", on_click=many)
        answers = ui.column().classes("w-full answer")


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


def _show_many(found: DetectedImages) -> None:
    mean = found.mean
    told = {
        "images": f"{found.count:,}",
        "objects": f"{mean.objects:,}",
        "snapshot": f"{found.snapshot:,}",
        "mAP, 11 points": figure_text(mean.eleven_points),
        "mAP, area": figure_text(mean.area),
        "mAP, integral": figure_text(mean.integral),
        "mAP, COCO": figure_text(mean.coco),
        "COCO at 0.5": figure_text(mean.coco50),
        "COCO at 0.75": figure_text(mean.coco75),
        **{f"COCO, {name}": figure_text(value) for name, value in found.sizes.items()},
    }
    facts(told)
    _curves(found)
    class_table(
        "Figures by class",
        ("class", "objects", "AP 11 points", "AP area", "AP integral", "COCO", "precision",
         "recall", "false alarms"),
        [
            (each.name, f"{each.objects:,}",
             *map(figure_text, (each.eleven_points, each.area, each.integral, each.coco,
                                each.precision, each.recall)),
             f"{each.wrong:,}")
            for each in (*found.classes, mean)
        ],
        [*(found.colors[each.label] for each in found.classes), ""],
    )  # fmt: skip
    told_of = f"Precision, recall and mistakes at a score of {found.threshold:g} or more."
    ui.label(told_of).classes("quiet")
    if found.worst:
        ui.label("Images with most mistakes").classes("text-bold q-mt-md")
        ui.label("True boxes are dashed, found ones solid.").classes("quiet")
        with ui.element("div").classes("mistakes-of"):
            for worst in found.worst:
                _show_worst(worst, found.colors)


def _curves(found: DetectedImages) -> None:
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
    ui.echart(option).classes("chart")


def _show_worst(worst: WorstImage, colors: dict[int, str]) -> None:
    with ui.element("figure"):
        _boxed(worst.image, f"image {worst.name}", (*worst.truths, *worst.found), colors)
        with ui.element("figcaption"):
            alarms = "1 false alarm" if worst.false == 1 else f"{worst.false} false alarms"
            ui.label(f"{worst.missed} missed, {alarms}").classes("number")
            ui.label(worst.name).classes("quiet number ellipsis")

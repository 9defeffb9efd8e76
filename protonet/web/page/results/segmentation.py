"""Tests of nets that predict the class of each pixel: one image with its classes laid over it, or
a data set with its label pictures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from nicegui import ui

from protonet.jobs.evaluation.segmenter import Share
from protonet.jobs.predictions.pixels import MappedImage, PixelPredictions, PixelSummary
from protonet.web.data_url import data_url
from protonet.web.page.frame import facts
from protonet.web.page.parts import quoted, run_in_thread
from protonet.web.page.results.confusion import CELL, Selection, matrix
from protonet.web.page.results.many import ImagePages, Many
from protonet.web.page.results.panel import Place, image_form
from protonet.web.page.results.tables import class_table
from protonet.web.results.listing import Seen
from protonet.web.results.segmentation import SegmentedImage, segment_image

_SLIDE = (
    "(e) => { e.target.closest('.segmented').querySelector('.laid img + img').style.opacity ="
    " e.target.value / 100; }"
)
"""Acts in the browser: no request is made while the slider moves."""
_MOST_CLASSES = 40
"""Classes up to which the confusion of all is shown."""
_ORDERS = {
    "worst": "Images with the lowest mean IoU",
    "cell": "Images by their pixels of a true and a predicted class",
    "all": "All images in their order",
}
_PAGE = 8


MANY = Many(
    "A database of images, and that of the classes of their pixels.", "Labels of the pixels"
)


def test_one(place: Place) -> None:
    """The form and the answer for one image."""
    image_form(place, segment_image, show_image)


def show_image(answer: SegmentedImage) -> None:
    """The image, the map of its classes, both in one with a slider, and a legend with shares."""
    image, labels = data_url(answer.seen), data_url(answer.labels)
    with ui.element("div").classes("segmented w-full"):
        with ui.element("div").classes("pixels"):
            _figure("Image", (image, "the image"))
            _figure("Classes", (labels, "the predicted classes"))
            _figure("Classes over the image", (image, "the image"), (labels, "its classes"))
        with ui.element("label").classes("row items-center gap-2"):
            ui.label("Opacity")
            slider = ui.element("input").props(
                'type=range min=0 max=100 value=50 aria-label="Opacity of the classes"'
            )
            slider.on("input", js_handler=_SLIDE)
        _legend(answer.classes)
        if answer.note:
            ui.label(answer.note).classes("quiet")
        ui.label(f"Weights of iteration {answer.snapshot}").classes("quiet")


def _figure(caption: str, *pictures: tuple[str, str]) -> None:
    """Pictures on top of each other, as (data URL, text instead)."""
    with ui.element("figure"):
        with ui.element("div").classes("laid"):
            for url, alt in pictures:
                ui.element("img").props(f'src="{url}" alt="{alt}"')
        with ui.element("figcaption"):
            ui.label(caption).classes("quiet")


def _legend(classes: Sequence[Share]) -> None:
    with ui.element("ul").classes("legend").props('aria-label="Classes"'):
        for each in classes:
            with ui.element("li"):
                _swatch(each.color)
                ui.label(f"{each.name} {each.share:.2%}").classes("number")


def _swatch(colour: Sequence[int]) -> None:
    red, green, blue = colour
    ui.element("span").classes("swatch").style(f"background: rgb({red} {green} {blue})")


async def show(found: PixelPredictions) -> None:
    """The results of a test: figures, the confusion of pixels, and pages of images."""
    figures = await run_in_thread(found.summary)
    _show_figures(figures)
    names = found.classes

    async def choose() -> None:
        query = selection.query
        title = selection.cell if query.order == CELL else _ORDERS[query.order]
        await pages.choose(query, title)

    if len(names) <= _MOST_CLASSES:
        matrix(names, figures.confusion, "pixels", lambda *cell: selection.pick(*cell))
    _show_mistakes(figures)
    selection = Selection(_ORDERS, "worst", names, choose)
    pages = ImagePages(found, _show_maps, "w-full images", _PAGE)
    await choose()


def _show_figures(found: PixelSummary) -> None:
    told = {
        "images": f"{found.count:,}",
        "iteration": f"{found.iteration:,}",
        "mean IoU": _percent(found.mean_iou),
        "pixel accuracy": _percent(found.pixel_accuracy),
        "mean class accuracy": _percent(found.mean_accuracy),
        "IoU weighted by pixels": _percent(found.weighted_iou),
    }
    if found.ignored:
        told["pixels ignored"] = f"{found.ignored:,}"
    facts(told)
    _table(
        "Figures by class",
        ("class", "IoU", "accuracy", "precision", "pixels"),
        [
            (each.name, *map(_percent, (each.iou, each.accuracy, each.precision, each.share)))
            for each in found.classes
        ],
        found.colors,
    )


def _show_mistakes(found: PixelSummary) -> None:
    with ui.column().classes("gap-1"):
        for mistake in found.mistakes:
            ui.label(
                f"{mistake.true} taken for {mistake.predicted}: {mistake.share:.2%} of its pixels"
            ).classes("quiet number")


def _table(
    caption: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    colours: Sequence[Sequence[int]],
) -> None:
    """A table with the colours of the classes."""
    css = [f"rgb({red} {green} {blue})" for red, green, blue in colours]
    class_table(caption, columns, rows, css)


def _show_maps(seen: Seen) -> None:
    """An image with its true and its predicted classes."""
    image = seen.image
    assert isinstance(image, MappedImage)
    told = _figure_of(image.mean_iou)
    ui.label(f"{image.name}: mean IoU {told}").classes("number q-mt-sm")
    with ui.element("div").classes("pixels worst"):
        for caption, png, alt in (
            ("Image", seen.png, quoted(image.name)),
            ("True classes", seen.truth, "the true classes"),
            ("Predicted classes", seen.predicted, "the predicted classes"),
        ):
            if png is not None:
                _figure(caption, (data_url(png), alt))


def _figure_of(value: float) -> str:
    return "\u2013" if math.isnan(value) else f"{value:.3f}"


def _percent(value: float) -> str:
    return "\u2013" if math.isnan(value) else f"{value:.2%}"

"""Tests of nets whose outputs are numbers: errors of each, and the images that are farthest off."""

from __future__ import annotations

from nicegui import ui

from protonet.jobs.predictions.numbers import MeasuredImage, NumberPredictions
from protonet.web.forms import ImagesQuery
from protonet.web.page import charts
from protonet.web.page.chart import Chart
from protonet.web.page.frame import facts
from protonet.web.page.parts import number, run_in_thread
from protonet.web.page.results.image import show_image
from protonet.web.page.results.many import ImagePages, Many, show_failures, show_picture
from protonet.web.page.results.panel import Place, image_form
from protonet.web.results.image import predict_image
from protonet.web.results.listing import NumberCharts, Seen, summary

_MOST = 8
"""Numbers that are told below a picture."""


MANY = Many()


def test_one(place: Place) -> None:
    """The form and the answer for one image."""
    image_form(place, predict_image, show_image)


async def show(found: NumberPredictions) -> None:
    """The results of a test."""
    figures = await run_in_thread(summary, found)
    assert isinstance(figures, NumberCharts)
    told = {"images": f"{figures.count:,}", "iteration": f"{figures.iteration:,}"}
    for component in figures.components[: len(figures.points)]:
        told[f"{component.name}: mean error"] = number(component.mae)
        told[f"{component.name}: RMSE"] = number(component.rmse)
        told[f"{component.name}: R\u00b2"] = number(component.r2)
    facts(told)
    show_failures(figures.failed, figures.failures)
    _charts(figures)
    orders = {"worst": "Images, the farthest off first", "all": "All images in their order"}
    if not figures.known:
        del orders["worst"]
    with ui.element("div").classes("fields"):
        order = ui.select(orders, value=next(iter(orders)), label="Show")
        order.props("outlined dense").classes("field")
    pages = ImagePages(found, _tell)

    async def choose() -> None:
        title = "Farthest off" if order.value == "worst" else "All images"
        await pages.choose(ImagesQuery(order=order.value), title)

    order.on_value_change(choose)
    await choose()


def _charts(figures: NumberCharts) -> None:
    """Predicted over true values, and the errors."""
    with ui.element("div").classes("charts"):
        for component, points, errors in zip(
            figures.components, figures.points, figures.residuals, strict=False
        ):
            with ui.column().classes("gap-1"):
                option = charts.scatter(points, x=f"true {component.name}", y="predicted")
                Chart(option).classes("chart")
                title = f"{component.name}: predicted - true"
                option = charts.histogram(errors.counts, errors.edges, name=title)
                Chart(option).classes("chart low")


def _tell(seen: Seen) -> None:
    """What a net says about an image."""
    image = seen.image
    assert isinstance(image, MeasuredImage)
    show_picture(seen)
    ui.label(f"predicted {_numbers(image.predicted)}").classes("number")
    if image.truth is not None:
        ui.label(f"true {_numbers(image.truth)}").classes("quiet number")
    ui.label(image.name).classes("quiet name-of-image")


def _numbers(values: tuple[float, ...]) -> str:
    more = ", ..." if len(values) > _MOST else ""
    return ", ".join(f"{value:.4g}" for value in values[:_MOST]) + more

"""Tests of nets whose outputs are numbers: one image with the activations of every layer, or many
images.
"""

from __future__ import annotations

from typing import Any

from nicegui import ui

from protonet.web import forms
from protonet.web.data_url import data_url
from protonet.web.page import charts
from protonet.web.page.frame import facts, panel
from protonet.web.page.parts import notify_errors, number, run_in_thread
from protonet.web.page.results.panel import Place, image_form
from protonet.web.results.image import ImagePrediction, Predictions, Statistic, predict_image
from protonet.web.results.routes import predict_many


def test_one(place: Place) -> None:
    """The form and the answer for one image."""
    image_form(place, predict_image, show_image)


def test_many(place: Place) -> None:
    """The form and results of many images."""
    with panel("Test many"):
        told = "A database, a folder of images, or a list of files."
        ui.label(told).classes("quiet")
        with ui.element("div").classes("fields"):
            databases = place.databases
            images = ui.input("Images", value=_text(databases.val_images))
            labels = ui.input("Label vectors", value=_text(databases.val_labels))
            most = ui.number("At most", value=1000, min=1, max=10_000)
            for field in (images, labels, most):
                field.props("outlined dense").classes("field")

        async def many() -> None:
            answers.clear()
            with notify_errors():
                form = forms.ListForm(
                    path=images.value or "", labels=labels.value or None,
                    snapshot=place.snapshot.value, most=int(most.value or 1000),
                )  # fmt: skip
                found = await run_in_thread(predict_many, place.site, place.job, form)
                with answers:
                    _show_many(found)

        ui.button("Test many", on_click=many)
        answers = ui.column().classes("w-full")


def _text(path: Any) -> str:
    return str(path) if path else ""


def show_image(answer: ImagePrediction) -> None:
    """The outputs for an image, and the activations and weights of all layers."""
    with ui.row().classes("items-start gap-4"):
        ui.element("img").props(
            f'src="{data_url(answer.seen)}" alt="the preprocessed image"'
        ).classes("seen")
        with ui.column().classes("gap-1"):
            for name, values in answer.outputs.items():
                shown = ", ".join(f"{value:.4f}" for value in values[:20])
                ui.label(f"{name}: [{shown}]").classes("output number")
            for name, score in answer.classes:
                ui.label(f"{score:.2%}  {name}").classes("number")
            if answer.note:
                ui.label(answer.note).classes("quiet")
            ui.label(f"Weights of iteration {answer.snapshot}").classes("quiet")
    with ui.expansion("Activations", value=True).classes("w-full"):
        _statistics(answer.activations)
    with ui.expansion("Weights").classes("w-full"):
        _statistics(answer.weights)


def _statistics(statistics: tuple[Statistic, ...]) -> None:
    with ui.element("div").classes("statistics"):
        for each in statistics:
            with ui.element("div").classes("statistic"):
                ui.label(each.name).classes("name")
                ui.label(each.kind).classes("quiet")
                shape = " x ".join(map(str, each.shape)) or "one value"
                ui.label(
                    f"{shape}; mean {number(each.mean)}, deviation {number(each.deviation)}"
                ).classes("number quiet")
                if each.png is not None:
                    ui.element("img").props(f'src="{data_url(each.png)}" alt="planes"')
                option = charts.histogram(each.histogram.counts, each.histogram.edges)
                ui.echart(option).classes("chart low")


def _show_many(found: Predictions) -> None:
    told = {"images": f"{found.count:,}", "snapshot": f"{found.snapshot:,}"}
    if found.right is not None:
        told["right"] = f"{found.right:.2%}"
        told["top-5 accuracy"] = f"{found.right_of_five or 0:.2%}"
    for component in found.components:
        told[f"{component.name}: mean error"] = number(component.mae)
        told[f"{component.name}: RMSE"] = number(component.rmse)
        told[f"{component.name}: R\u00b2"] = number(component.r2)
    facts(told)
    with ui.element("div").classes("charts"):
        for component, points in zip(found.components, found.points, strict=False):
            option = charts.scatter(points, x=f"true {component.name}", y="predicted")
            ui.echart(option).classes("chart")
    if found.confusion and len(found.classes) <= 30:
        columns = [{"name": "true", "label": "true / predicted", "field": "true", "align": "left"}]
        columns += [
            {"name": str(i), "label": n, "field": str(i)} for i, n in enumerate(found.classes)
        ]
        rows = [
            {"true": found.classes[place], **{str(i): n or "" for i, n in enumerate(row)}}
            for place, row in enumerate(found.confusion)
        ]
        ui.table(rows=rows, columns=columns).props("flat dense")
    if found.worst:
        ui.label("Farthest off").classes("quiet")
        with ui.element("div").classes("samples"):
            for miss in found.worst:
                with ui.element("figure"):
                    if miss.png is not None:
                        ui.element("img").props(f'src="{data_url(miss.png)}" alt="worst sample"')
                    ui.label(f"said {miss.predicted}").classes("number")
                    ui.label(f"true {miss.true}").classes("quiet number")
    for name, said in found.rows[:200]:
        ui.label(f"{name}: {said}").classes("number")
    for error in found.failed:
        ui.label(error).classes("mistake")

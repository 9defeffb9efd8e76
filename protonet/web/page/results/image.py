"""What a net says about one image, and what its layers hold."""

from __future__ import annotations

from nicegui import ui

from protonet.web.data_url import data_url
from protonet.web.page import charts
from protonet.web.page.chart import Chart
from protonet.web.page.parts import number
from protonet.web.results.image import ImagePrediction, Statistic


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
                with ui.row().classes("items-center gap-2 no-wrap"):
                    ui.label(f"{score:.2%}  {name}").classes("number")
                    bar = ui.linear_progress(score, show_value=False, size="8px")
                    bar.classes("score").props('aria-hidden="true"')
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
                Chart(option).classes("chart low")

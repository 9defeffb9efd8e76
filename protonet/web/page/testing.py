"""Tests of a trained net: one image with the activations of every layer, or many images."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nicegui import events, ui

from protonet.errors import UsageError
from protonet.jobs.run.directory import RunDirectory
from protonet.web import forms
from protonet.web.page import charts
from protonet.web.page.frame import facts, panel
from protonet.web.page.parts import notify_errors, number, run_in_thread
from protonet.web.prediction_routes import predict_many
from protonet.web.predictions import ImagePrediction, Predictions, Statistic, predict_image
from protonet.web.site import Site
from protonet.web.store import Job
from protonet.web.uploads import check_image, safe_name
from protonet.web.views import data_url

_SNAPSHOTS = {"last": "Newest snapshot", "best": "Best snapshot"}


def test_panel(site: Site, job: Job, run: RunDirectory) -> ui.select:
    """The forms and results of tests; returns the selection of the snapshot."""
    snapshot = _one_panel(site, job, run)
    _many_panel(site, job, snapshot)
    return snapshot


def _one_panel(site: Site, job: Job, run: RunDirectory) -> ui.select:
    """The form and result of a single image; returns the selection of the snapshot."""
    answer: ui.column
    upload: ui.upload
    with panel("Test a single image"):
        with ui.element("div").classes("fields"):
            snapshot = (
                ui.select(_SNAPSHOTS, value="last", label="Snapshot")
                .props("outlined dense")
                .classes("field")
            )
            offer(snapshot, run.iterations())
            path = (
                ui.input("Image on the server", value=_test_image(site, job))
                .props("outlined dense")
                .classes("field")
            )
            upload = ui.upload(
                label="or upload an image", auto_upload=True, max_files=1,
                max_file_size=site.workspace.limits.upload,
                on_upload=lambda event: _uploaded(site, run, event, snapshot.value, answer, upload),
            ).props("flat bordered accept=image/*")  # fmt: skip
        ui.button(
            "Test one", on_click=lambda: _named(site, run, path.value, snapshot.value, answer)
        )
        answer = ui.column().classes("w-full answer")
    return snapshot


def _many_panel(site: Site, job: Job, snapshot: ui.select) -> None:
    """The form and results of many images."""
    with panel("Test many"):
        told = "A database, a folder of images, or a list of files."
        ui.label(told).classes("quiet")
        with ui.element("div").classes("fields"):
            images = ui.input("Images", value=_validation(site, job)[0])
            labels = ui.input("Label vectors", value=_validation(site, job)[1])
            most = ui.number("At most", value=1000, min=1, max=10_000)
            for field in (images, labels, most):
                field.props("outlined dense").classes("field")

        async def many() -> None:
            with notify_errors():
                form = forms.ListForm(
                    path=images.value or "", labels=labels.value or None,
                    snapshot=snapshot.value, most=int(most.value or 1000),
                )  # fmt: skip
                found = await run_in_thread(predict_many, site, job, form)
                answers.clear()
                with answers:
                    _show_many(found)

        ui.button("Test many", on_click=many)
        answers = ui.column().classes("w-full")


def offer(snapshot: ui.select, iterations: Sequence[int]) -> None:
    """Offer the newest 50 snapshots, and the selected one."""
    found = [str(n) for n in reversed(iterations[-50:])]
    if snapshot.value not in (*_SNAPSHOTS, *found):
        found.append(snapshot.value)
    snapshot.set_options({**_SNAPSHOTS, **{n: f"Iteration {n}" for n in found}})


def _test_image(site: Site, job: Job) -> str:
    """The test image of a data set, as default."""
    path = site.folder(site.store.get(job.needs[0])) / "data" / "test.png"
    return str(path.relative_to(site.workspace.folder)) if path.exists() else ""


def _validation(site: Site, job: Job) -> tuple[str, str]:
    """The validation databases of a training, as default."""
    databases = site.databases(site.store.get(job.needs[0]))
    images, labels = databases.val_images, databases.val_labels
    return str(images) if images else "", str(labels) if labels else ""


async def _named(site: Site, run: RunDirectory, name: str, snapshot: str, place: Any) -> None:
    with notify_errors():
        path = site.workspace.inside(name or "")
        if not path.is_file():
            raise UsageError(f"{name}: no such file")
        check_image(path, site.workspace.limits.pixels, name)
        _show(place, await run_in_thread(predict_image, run, path, snapshot))


async def _uploaded(
    site: Site,
    run: RunDirectory,
    event: events.UploadEventArguments,
    snapshot: str,
    place: Any,
    upload: ui.upload,
) -> None:
    data = await event.file.read()
    upload.reset()
    with (
        notify_errors(),
        tempfile.TemporaryDirectory(dir=site.workspace.folder, prefix=".test-") as made,
    ):
        path = Path(made) / safe_name(event.file.name).name
        path.write_bytes(data)
        check_image(path, site.workspace.limits.pixels, path.name)
        _show(place, await run_in_thread(predict_image, run, path, snapshot))


def _show(place: Any, answer: ImagePrediction) -> None:
    place.clear()
    with place:
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

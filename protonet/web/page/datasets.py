"""Data sets: the list, the forms to create one, and its contents."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from nicegui import events, ui

from protonet.errors import UsageError
from protonet.web import forms, submission
from protonet.web.datasets import Databases, Report, Reports, Sample, mean_picture, samples
from protonet.web.page import charts
from protonet.web.page.deferred import filled_deferred
from protonet.web.page.frame import facts, frame, heading, panel
from protonet.web.page.job_bar import job_bar
from protonet.web.page.parts import TICK, jobs_table, notify_errors, run_in_thread
from protonet.web.progress import log_of
from protonet.web.site import Site
from protonet.web.store import DATASET, DONE, ENDED, Job
from protonet.web.views import data_url

_SHOWN = 24


def add(site: Site) -> None:
    """Add the pages."""
    reports = Reports()

    @ui.page("/datasets")
    def list_page() -> None:
        with frame("Data sets", "Data sets"):
            heading("Data sets", "Images and labels to train on.")
            ui.button("New data set", on_click=lambda: ui.navigate.to("/datasets/new"))
            with panel():
                jobs_table(site.store.all(DATASET))

    @ui.page("/datasets/new")
    def new_page() -> None:
        with frame("New data set", "Data sets"):
            heading("New data set")
            with panel():
                with ui.tabs().props("no-caps align=left dense").classes("w-full") as tabs:
                    names = ("Gradients", "Databases", "CSV and images", "Class folders")
                    made = [ui.tab(name) for name in names]
                with ui.tab_panels(tabs, value=made[0]).classes("w-full"):
                    for tab, form in zip(
                        made, (_gradients, _databases, _vectors, _folders), strict=True
                    ):
                        with ui.tab_panel(tab):
                            form(site)

    @ui.page("/datasets/{job_id}")
    def show_page(job_id: str) -> None:
        with frame("Data set", "Data sets"), notify_errors():
            _show(site, site.get(job_id, DATASET), reports)


def _field(label: str, value: Any = None, told: str = "", **options: Any) -> Any:
    kind = ui.number if isinstance(value, (int, float)) else ui.input
    field = kind(label, value=value, **options).props("outlined dense").classes("field")
    if told:
        field.props(f'hint="{told}"')
    return field


def _whole(field: Any) -> Any:
    """The value of a field for a form's integer: 50.0 becomes 50, 2.5 is left for validation."""
    return None if field.value in (None, "") else field.value


def _gradients(site: Site) -> None:
    ui.label(
        "Grayscale images that brighten along x and y, labelled with the two slopes; test.png has "
        "slopes 0.5 and 0.5."
    ).classes("quiet")
    with ui.element("div").classes("fields"):
        name = _field("Name", "gradients")
        width, height = _field("Width", 50, min=1), _field("Height", 50, min=1)
        count, seed = _field("Images", 100, min=1), _field("Seed", 0, min=0)

    def make() -> None:
        with notify_errors():
            form = forms.GradientsForm.model_validate(
                {
                    "name": name.value,
                    "width": _whole(width),
                    "height": _whole(height),
                    "count": _whole(count),
                    "seed": _whole(seed),
                }
            )
            _go(submission.make_gradients(site, form))

    ui.button("Create data set", on_click=make)


def _databases(site: Site) -> None:
    roots = ", ".join(map(str, (site.workspace.folder, *site.workspace.allowed)))
    ui.label(f"LMDBs of Datum records, in {roots}. They are used in place.").classes("quiet")
    with ui.element("div").classes("fields"):
        fields = {
            "name": _field("Name", "my data"),
            "train_images": _field("Training images", ""),
            "train_labels": _field("Training labels (vectors)", ""),
            "val_images": _field("Validation images", ""),
            "val_labels": _field("Validation labels (vectors)", ""),
            "mean": _field("Mean file (.binaryproto)", ""),
            "classes": _field("Class names (labels.txt)", ""),
        }

    async def make() -> None:
        with notify_errors():
            form = forms.DatabasesForm.model_validate(
                dict(**{k: f.value or None for k, f in fields.items()})
            )
            _go(await run_in_thread(submission.name_databases, site, form))

    ui.button("Use these databases", on_click=make)


# long: functions of the form hold the uploaded files
def _vectors(site: Site) -> None:
    ui.label(
        "A CSV file whose lines have an image file and the numbers of its label, and the images."
    ).classes("quiet")
    table: list[bytes] = []
    images: list[tuple[str, BytesIO]] = []

    async def take_table(event: events.UploadEventArguments) -> None:
        table[:] = [await event.file.read()]

    async def take_image(event: events.UploadEventArguments) -> None:
        images.append((event.file.name, BytesIO(await event.file.read())))
        here.text = f"{len(images)} image{'' if len(images) == 1 else 's'} uploaded"

    most = site.workspace.limits.upload
    with ui.element("div").classes("fields"):
        name = _field("Name", "vectors")
        share = _field("Share for validation", 0.2, min=0, max=0.99, step=0.05)
        width, height = _field("Width", ""), _field("Height", "")
        ui.upload(label="CSV", on_upload=take_table, auto_upload=True, max_files=1,
                  max_file_size=most).props("flat bordered accept=.csv,.txt")  # fmt: skip
        ui.upload(label="Images", on_upload=take_image, auto_upload=True, multiple=True,
                  max_total_size=most,
                  ).props("flat bordered no-thumbnails accept=image/*")  # fmt: skip
        here = ui.label("").classes("quiet").props('role="status"')

    async def make() -> None:
        with notify_errors():
            if not table:
                raise UsageError("upload a CSV file first")
            form = forms.VectorsForm.model_validate(
                {
                    "name": name.value,
                    "width": _whole(width),
                    "height": _whole(height),
                    "val_share": share.value,
                }
            )
            _go(
                await run_in_thread(
                    submission.make_vectors, site, form, BytesIO(table[0]), list(images)
                )
            )

    ui.button("Create data set", on_click=make)


def _folders(site: Site) -> None:
    roots = ", ".join(map(str, (site.workspace.folder, *site.workspace.allowed)))
    ui.label(f"A folder with a folder of images per class, in {roots}.").classes("quiet")
    with ui.element("div").classes("fields"):
        name, folder = _field("Name", "classes"), _field("Folder", "")
        width, height = _field("Width", 256, min=1), _field("Height", 256, min=1)
        fit = ui.select(
            {"squash": "Squash", "crop": "Crop", "fill": "Fill",
             "half-crop": "Half crop, half fill"},
            value="squash", label="Resize",
        ).props("outlined dense").classes("field")  # fmt: skip
        encoding = ui.select(
            {None: "Pixels", "png": "PNG", "jpg": "JPEG"}, value="png", label="Stored as"
        ).props("outlined dense").classes("field")  # fmt: skip
        share = _field("Share for validation", 0.25, min=0, max=0.99, step=0.05)
        gray = ui.checkbox("Gray")

    def make() -> None:
        with notify_errors():
            form = forms.FoldersForm.model_validate(
                {
                    "name": name.value,
                    "folder": folder.value,
                    "width": _whole(width),
                    "height": _whole(height),
                    "fit": fit.value,
                    "encoding": encoding.value,
                    "val_share": share.value,
                    "gray": gray.value,
                }
            )
            _go(submission.make_folders(site, form))

    ui.button("Create data set", on_click=make)


def _go(job: Job) -> None:
    ui.navigate.to(f"/datasets/{job.id}")


def _show(site: Site, job: Job, reports: Reports) -> None:
    job_bar(site, job, ui.navigate.reload)
    if job.status != DONE:
        with panel("Log"):
            log = ui.label(log_of(site.workspace, job)).classes("log")
        if job.status not in ENDED:

            def look() -> None:
                now = site.store.get(job.id)
                log.text = log_of(site.workspace, now)
                if now.status != job.status:
                    ui.navigate.reload()

            ui.timer(TICK, look)
        return
    filled_deferred("Reading the images ...", lambda: _fill(job, site.databases(job), reports))


async def _fill(job: Job, databases: Databases, reports: Reports) -> None:
    """Fill in the contents: inspection may take longer than a page request may."""
    report = await run_in_thread(reports.of, databases)
    _show_report(report)
    with panel("Train on it"):
        ui.button("New model", on_click=lambda: ui.navigate.to(f"/models/new?dataset={job.id}"))
    for part in report.parts:
        shown = await run_in_thread(samples, databases, part.name, 0, _SHOWN)
        with panel("Training images" if part.name == "train" else "Validation images"):
            _show_samples(shown)
            if part.name == "train":
                _show_mean(databases)
            with ui.element("div").classes("charts"):
                for each in part.histograms[:12]:
                    option = charts.histogram(
                        each.counts, each.edges, name=each.name,
                        bars=report.classes if part.label is None else (),
                    )  # fmt: skip
                    ui.echart(option).classes("chart low")


def _show_report(report: Report) -> None:
    with panel("Contents"):
        for mistake in report.mistakes:
            with ui.row().classes("mistake w-full no-wrap"):
                ui.icon("error", color="negative")
                ui.label(mistake)
        for part in report.parts:
            label = "class numbers" if part.label is None else f"{_by(part.label)} numbers"
            facts(
                {
                    "part": "training" if part.name == "train" else "validation",
                    "images": f"{part.count:,}",
                    "channels x height x width": _by(part.shape),
                    "stored": "encoded" if part.encoded else "pixels",
                    "labels": label,
                    "looked at": f"{part.looked_at:,}",
                }
            )
        if report.parts and not report.mistakes:
            with ui.row().classes("items-center gap-1"):
                ui.icon("check_circle", color="positive")
                paired = report.parts[0].label is not None
                ui.label("Images and labels are paired by key." if paired else "No mistakes found.")
        if report.classes:
            ui.label(f"{len(report.classes)} classes: {', '.join(report.classes[:20])}")


def _show_samples(shown: list[Sample]) -> None:
    with ui.element("div").classes("samples"):
        for sample in shown:
            with ui.element("figure"):
                told = sample.class_name or ", ".join(f"{v:.3g}" for v in (sample.label or ())[:6])
                source = data_url(sample.png)
                ui.element("img").props(f'src="{source}" alt="image {_plain(sample.key)}"')
                ui.label(told).classes("quiet number")


def _show_mean(databases: Databases) -> None:
    if databases.mean is None:
        return
    with ui.row().classes("items-center gap-3"):
        source = data_url(mean_picture(databases))
        ui.element("img").props(f'src="{source}" alt="mean image"').classes("mean")
        ui.label("Mean image").classes("quiet")


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _plain(text: str) -> str:
    return "".join(c for c in text if c.isalnum() or c in "_-. ")

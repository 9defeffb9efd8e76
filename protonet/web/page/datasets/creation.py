"""The forms that create data sets."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from nicegui import events, ui

from protonet.errors import UsageError
from protonet.web.datasets import creation, forms
from protonet.web.page.parts import notify_errors, run_in_thread
from protonet.web.site import Site
from protonet.web.store import Job


def creation_tabs(site: Site) -> None:
    """A tab for each form."""
    with ui.tabs().props("no-caps align=left dense").classes("w-full") as tabs:
        names = ("Gradients", "Databases", "CSV and images", "Class folders")
        made = [ui.tab(name) for name in names]
    with ui.tab_panels(tabs, value=made[0]).classes("w-full"):
        for tab, form in zip(made, (_gradients, _databases, _vectors, _folders), strict=True):
            with ui.tab_panel(tab):
                form(site)


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
            _go(creation.make_gradients(site, form))

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
            "label_map": _field("Label map of boxes (.prototxt)", ""),
            "sizes": _field("Sizes of validation images (.txt)", ""),
            "class_table": _field("Classes of pixels (.csv)", ""),
        }

    async def make() -> None:
        with notify_errors():
            form = forms.DatabasesForm.model_validate(
                dict(**{k: f.value or None for k, f in fields.items()})
            )
            _go(await run_in_thread(creation.name_databases, site, form))

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
                    creation.make_vectors, site, form, BytesIO(table[0]), list(images)
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
            _go(creation.make_folders(site, form))

    ui.button("Create data set", on_click=make)


def _go(job: Job) -> None:
    ui.navigate.to(f"/datasets/{job.id}")

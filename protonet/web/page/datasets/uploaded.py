"""The forms of data sets that are uploaded: a table with its images, lists of images."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from nicegui import ui
from starlette.datastructures import UploadFile

from protonet.errors import UsageError
from protonet.web.datasets import creation, forms
from protonet.web.page.datasets.fields import ENCODINGS, FITS, Fields, Upload, submit_button
from protonet.web.page.file_field import FileField
from protonet.web.site import Site
from protonet.web.store import Job


def vectors(site: Site) -> None:
    """The form of a table and its images."""
    ui.label(
        "A CSV file whose lines have an image file and the numbers of its label, and the images."
    ).classes("quiet")
    images: list[tuple[str, BytesIO]] = []

    async def take(files: Sequence[UploadFile]) -> None:
        images.extend([(each.filename or "", BytesIO(await each.read())) for each in files])
        here.text = f"{len(images)} image{'' if len(images) == 1 else 's'} uploaded"

    most = site.workspace.limits.upload
    fields = Fields()
    with ui.element("div").classes("fields"):
        fields.text("name", "Name", "vectors")
        fields.number("val_share", "Share for validation", 0.2, min=0, max=0.99, step=0.05)
        fields.number("width", "Width", None, min=1)
        fields.number("height", "Height", None, min=1)
        table = Upload("CSV", most)
        FileField("Images", take, most=most, accept="image/*", count=None)
        here = ui.label("").classes("quiet").props('role="status"')

    def make(form: forms.VectorsForm) -> Job:
        if table.data is None:
            raise UsageError("upload a CSV file first")
        return creation.make_vectors(site, form, BytesIO(table.data), list(images))

    submit_button(forms.VectorsForm, fields.values, make)


def lists(site: Site) -> None:
    """The form of lists of images that are on the server."""
    ui.label(
        "Text files whose lines have an image file and its class, a number from 0, as Caffe's "
        "convert_imageset reads them. The images are on the server."
    ).classes("quiet")
    most = site.workspace.limits.upload
    fields = Fields()
    with ui.element("div").classes("fields"):
        fields.text("name", "Name", "lists")
        fields.text("folder", "Folder of relative paths", told="By default the workspace.")
        fields.number("width", "Width", 256, min=1)
        fields.number("height", "Height", 256, min=1)
        fields.choice("fit", "Resize", FITS, "squash")
        fields.choice("encoding", "Stored as", ENCODINGS, "png")
        fields.check("gray", "Gray")
        fields.check("shuffle", "Shuffle")
    with ui.element("div").classes("fields"):
        files = {
            "train": Upload("List for training", most),
            "val": Upload("List for validation", most),
            "names": Upload("Class names (labels.txt)", most),
        }

    def make(form: forms.ListsForm) -> Job:
        given = {part: BytesIO(each.data) for part, each in files.items() if each.data is not None}
        return creation.make_lists(site, form, given)

    submit_button(forms.ListsForm, fields.values, make)

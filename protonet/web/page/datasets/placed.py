"""The forms of data sets from files on the server: databases, class folders, boxes, labels."""

from __future__ import annotations

from functools import partial
from typing import Any

from nicegui import ui

from protonet.web.datasets import creation, forms
from protonet.web.page.datasets.fields import (
    ENCODINGS,
    FITS,
    OWN_ENCODINGS,
    Fields,
    submit_button,
)
from protonet.web.site import Site

_AS_FOUND = "As it is there"


def databases(site: Site) -> None:
    """The form of existing databases."""
    ui.label(f"LMDBs of Datum records, in {_roots(site)}. They are used in place.").classes("quiet")
    fields = Fields()
    with ui.element("div").classes("fields"):
        fields.text("name", "Name", "my data")
        fields.text("train_images", "Training images")
        fields.text("train_labels", "Training labels (vectors)")
        fields.text("val_images", "Validation images")
        fields.text("val_labels", "Validation labels (vectors)")
        fields.text("mean", "Mean file (.binaryproto)")
        fields.text("classes", "Class names (labels.txt)")
        fields.text("label_map", "Label map of boxes (.prototxt)")
        fields.text("sizes", "Sizes of validation images (.txt)")
        fields.text("class_table", "Classes of pixels (.csv)")

    submit_button(
        forms.DatabasesForm, fields.values, partial(creation.name_databases, site),
        "Use these databases",
    )  # fmt: skip


def folders(site: Site) -> None:
    """The form of a folder with a folder of images per class."""
    ui.label(f"A folder with a folder of images per class, in {_roots(site)}.").classes("quiet")
    fields = Fields()
    with ui.element("div").classes("fields"):
        fields.text("name", "Name", "classes")
        fields.text("folder", "Folder")
        fields.number("width", "Width", 256, min=1)
        fields.number("height", "Height", 256, min=1)
        fields.choice("fit", "Resize", FITS, "squash")
        fields.choice("encoding", "Stored as", ENCODINGS, "png")
        fields.number("val_share", "Share for validation", 0.25, min=0, max=0.99, step=0.05)
        fields.check("gray", "Gray")
    submit_button(forms.FoldersForm, fields.values, partial(creation.make_folders, site))


def detection(site: Site) -> None:
    """The form of images with boxes."""
    ui.label(
        "A folder in the form of KITTI (images and labels), Pascal VOC (JPEGImages and "
        "Annotations) or COCO (annotations), a JSON file of COCO, or a CSV file with lines of "
        f"image, label, xmin, ymin, xmax, ymax; in {_roots(site)}."
    ).classes("quiet")
    fields = Fields()
    with ui.element("div").classes("fields"):
        fields.text("name", "Name", "boxes")
        fields.text("folder", "Folder or file")
        kinds = {None: _AS_FOUND, "kitti": "KITTI", "voc": "Pascal VOC", "coco": "COCO",
                 "csv": "CSV"}  # fmt: skip
        fields.choice("form", "Form", kinds, None)
        fields.text("images", "Folder of images", told="For COCO and CSV.")
        fields.text("classes", "Only these classes", told="car, person; numbered in this order.")
        fields.text("label_map", "Label map (.prototxt)")
        _division(fields)
        fields.number("pad_width", "Pad images to width", None, min=1)
        fields.number("pad_height", "Pad images to height", None, min=1)
        fields.number("val_least", "Least box of a validation image (pixels)", 0, min=0)
        fields.check("repair", "Clip boxes to their images")
        fields.check("detectnet", "Store the boxes for DetectNet too")

    def values() -> dict[str, Any]:
        given = fields.values()
        names = str(given.pop("classes", "")).split(",")
        return {**given, "classes": [name.strip() for name in names if name.strip()]}

    submit_button(forms.DetectionForm, values, partial(creation.make_detection, site))


def segmentation(site: Site) -> None:
    """The form of images with label pictures."""
    ui.label(
        "Images with a picture of the classes of their pixels: a folder of images and one of "
        "label pictures, a folder in the form of Pascal VOC (JPEGImages and SegmentationClass), or "
        f"a list with an image and a label picture in each line; in {_roots(site)}."
    ).classes("quiet")
    fields = Fields()
    with ui.element("div").classes("fields"):
        fields.text("name", "Name", "pixels")
        fields.text("folder", "Folder of images, or list")
        kinds = {None: _AS_FOUND, "folders": "Folders", "voc": "Pascal VOC", "list": "List"}
        fields.choice("form", "Form", kinds, None)
        fields.text("labels", "Folder of label pictures")
        fields.text("base", "Folder of the files of a list")
        fields.text("classes", "Classes (.csv, or names)")
        fields.text("colors", "Colors (r g b a line)")
        fields.text("ignore", "Ignored number", "auto", told="A number, none, or auto.")
        codings = {None: _AS_FOUND, "numbers": "Numbers", "colors": "Colors"}
        fields.choice("coding", "Label pictures contain", codings, None)
        _division(fields)
        fields.check("only_pairs", "Leave out files without a partner")
    submit_button(forms.SegmentationForm, fields.values, partial(creation.make_segmentation, site))


def _division(fields: Fields) -> None:
    """Sizes of images, and how they are divided."""
    fields.number("width", "Width", None, min=1)
    fields.number("height", "Height", None, min=1)
    fields.choice("fit", "Resize", FITS, "squash")
    fields.choice("encoding", "Stored as", OWN_ENCODINGS, "own")
    fields.text("train_list", "List for training")
    fields.text("val_list", "List for validation")
    fields.number("val_share", "Share for validation", None, min=0, max=0.99, step=0.05)
    fields.number("seed", "Seed", 0, min=0)
    fields.check("gray", "Gray")


def _roots(site: Site) -> str:
    return ", ".join(map(str, (site.workspace.folder, *site.workspace.allowed)))

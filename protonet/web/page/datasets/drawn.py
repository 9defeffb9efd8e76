"""The forms of drawn data sets: gradients, shapes with boxes, segments."""

from __future__ import annotations

from functools import partial

from nicegui import ui

from protonet.web.datasets import creation, forms
from protonet.web.page.datasets.fields import Fields, submit_button
from protonet.web.site import Site


def gradients(site: Site) -> None:
    """The form of the seed example's data."""
    ui.label(
        "Grayscale images that brighten along x and y, labelled with the two slopes; test.png has "
        "slopes 0.5 and 0.5."
    ).classes("quiet")
    fields = _fields("gradients", side=50, least=1, count=100)
    fields.check("raw", "Store pixels instead of PNG")
    submit_button(forms.GradientsForm, fields.values, partial(creation.make_gradients, site))


def shapes(site: Site) -> None:
    """The form of drawn shapes with boxes."""
    ui.label(
        "Circles, squares and triangles on noise, with a box around each: for object detection."
    ).classes("quiet")
    fields = _fields("shapes", side=64, least=16, count=1000)
    fields.check("detectnet", "Store the boxes for DetectNet too")
    submit_button(forms.ShapesForm, fields.values, partial(creation.make_shapes, site))


def segments(site: Site) -> None:
    """The form of drawn shapes with the class of each pixel."""
    ui.label(
        "Circles, squares and triangles on noise, with the class of each pixel: for segmentation."
    ).classes("quiet")
    fields = _fields("segments", side=64, least=16, count=1000)
    submit_button(forms.SegmentsForm, fields.values, partial(creation.make_segments, site))


def _fields(name: str, *, side: int, least: int, count: int) -> Fields:
    fields = Fields()
    with ui.element("div").classes("fields"):
        fields.text("name", "Name", name)
        fields.number("width", "Width", side, min=least)
        fields.number("height", "Height", side, min=least)
        fields.number("count", "Images", count, min=1)
        fields.number("val_count", "Validation images", None, min=1)
        fields.number("seed", "Seed", 0, min=0)
    return fields

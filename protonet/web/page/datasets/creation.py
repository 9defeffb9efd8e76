"""The forms that create data sets, by what their labels are."""

from __future__ import annotations

from nicegui import ui

from protonet.web.page.datasets import drawn, placed, uploaded
from protonet.web.site import Site

FORMS = {
    "Gradients": drawn.gradients,
    "Class folders": placed.folders,
    "Text lists": uploaded.lists,
    "CSV and images": uploaded.vectors,
    "Boxes": placed.detection,
    "Drawn shapes": drawn.shapes,
    "Label pictures": placed.segmentation,
    "Drawn segments": drawn.segments,
    "Databases": placed.databases,
}


def creation_tabs(site: Site) -> None:
    """A tab for each form."""
    with ui.tabs().props("no-caps align=left dense outside-arrows").classes("w-full") as tabs:
        made = [ui.tab(name) for name in FORMS]
    with ui.tab_panels(tabs, value=made[0]).classes("w-full"):
        for tab, form in zip(made, FORMS.values(), strict=True):
            with ui.tab_panel(tab):
                form(site)

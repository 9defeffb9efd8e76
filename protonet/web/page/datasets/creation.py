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
    """A tab for each form, whose fields are made when it is chosen: all are slow to send."""
    with ui.tabs().props("no-caps align=left dense outside-arrows").classes("w-full") as tabs:
        for name in FORMS:
            ui.tab(name)
    first, *others = FORMS
    empty = {}
    with ui.tab_panels(tabs, value=first).classes("w-full"):
        with ui.tab_panel(first).props(f'aria-label="{first}"'):
            FORMS[first](site)
        for name in others:
            empty[name] = ui.tab_panel(name).props(f'aria-label="{name}"')

    def fill() -> None:
        name = str(tabs.value)
        if name in empty:
            with empty.pop(name):
                FORMS[name](site)

    tabs.on_value_change(fill)

"""Tables of figures by class."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nicegui import ui


def class_table(
    caption: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    colors: Sequence[str],
) -> None:
    """A table with a row for each class and its color ("": none), scrolled by itself where it is
    wider than the page.
    """
    ui.label(caption).classes("text-bold q-mt-md")
    # Scrolled by keys, too, so it must take the focus.
    across = f'tabindex=0 role="region" aria-label="{caption}"'
    with ui.element("div").classes("across").props(across), ui.element("table"):
        with ui.element("thead"), ui.element("tr"):
            for column in columns:
                with ui.element("th").props("scope=col"):
                    ui.label(column)
        with ui.element("tbody"):
            for row, color in zip(rows, colors, strict=True):
                with ui.element("tr"):
                    _head(row[0], color)
                    for cell in row[1:]:
                        with ui.element("td"):
                            ui.label(cell)


def _head(name: str, color: str) -> None:
    with (
        ui.element("th").props("scope=row"),
        ui.row().classes("items-center gap-2 no-wrap"),
    ):
        if color:
            ui.element("span").classes("swatch").style(f"background: {color}")
        ui.label(name)


def figure_text(value: float) -> str:
    """A share with four digits, or a dash for no number."""
    return "\u2013" if math.isnan(value) else f"{value:.4f}"

"""The common frame of all pages: navigation bar and style, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from html import escape
from pathlib import Path
from zlib import crc32

from nicegui import app, ui

PLACES = (("Data sets", "/datasets"), ("Models", "/models"), ("Jobs", "/jobs"), ("API", "/docs"))

FORM_KEPT = 900.0
"""Seconds for which a form waits for a browser, of a computer that sleeps or has no network."""
KEPT = 5.0
"""The same for pages that only show something."""
_STATIC = Path(__file__).with_name("static")
_HEAD = """<link rel="stylesheet" href="/page/{mark}/page.css">
<script src="/page/{mark}/names.js" defer></script>"""


def add_static() -> None:
    """Serve the style of all pages, under addresses that change with it: browsers keep them."""
    app.add_static_files(f"/page/{_mark()}", _STATIC, max_cache_age=365 * 86_400)


@cache
def _mark() -> str:
    """What changes with the files of ``static``."""
    return f"{crc32(b''.join(path.read_bytes() for path in sorted(_STATIC.iterdir()))):08x}"


def page(path: str, kept: float = KEPT) -> ui.page:
    """A page, as a decorator of the function that fills it.

    Args:
        path: with the parameters of the function in braces.
        kept: seconds for which it waits for a browser that has gone, with what was typed in it.
    """
    return ui.page(path, reconnect_timeout=kept)


@contextmanager
def frame(title: str, here: str = "") -> Iterator[None]:
    """A page with the navigation bar, as a context manager for its content.

    Args:
        title: in the browser's tab.
        here: the current entry of the navigation bar.
    """
    ui.page_title(f"{title} · protonet")
    ui.colors(primary="#1f6fb4", positive="#1e7d4b", negative="#c0392b", warning="#8a6500")
    ui.add_head_html(_HEAD.format(mark=_mark()))
    dark = ui.dark_mode(app.storage.user.get("dark"))
    with (
        ui.header(elevated=False).classes("top items-center q-py-xs"),
        ui.row().classes("items-center gap-1 w-full no-wrap").style("max-width:1280px;margin:auto"),
    ):
        ui.html(_places(here), sanitize=False).classes("row items-center gap-1")
        ui.space()
        ui.button(icon="contrast", on_click=lambda: _turn(dark)).props(
            'flat round dense color=grey aria-label="Light or dark"'
        )
    with ui.column().classes("w-full gap-4"):
        yield


def _places(here: str) -> str:
    """The links of the navigation bar."""
    current = {here: ' aria-current="page"'}
    links = "".join(f'<a href="{to}"{current.get(name, "")}>{name}</a>' for name, to in PLACES)
    return (
        '<a href="/" class="brand">protonet</a>'
        f'<nav class="row items-center gap-1" aria-label="Places">{links}</nav>'
    )


def heading(text: str, told: str = "") -> None:
    """The title of a page, with a subtitle."""
    with ui.column().classes("gap-1"):
        ui.html(f"<h1>{escape(text)}</h1>", sanitize=False)
        if told:
            ui.label(told).classes("quiet")


@contextmanager
def panel(title: str = "") -> Iterator[ui.column]:
    """A section of a page, with a title."""
    with ui.column().classes("panel gap-3") as column:
        if title:
            ui.html(f"<h2>{escape(title)}</h2>", sanitize=False)
        yield column


def facts(values: dict[str, str]) -> None:
    """Names and values side by side."""
    with ui.element("div").classes("facts"):
        for name, value in values.items():
            with ui.element("div").classes("fact"):
                ui.label(value).classes("value")
                ui.label(name).classes("name")


def _turn(dark: ui.dark_mode) -> None:
    """Toggle light and dark; by default as the browser."""
    dark.value = not dark.value
    app.storage.user["dark"] = dark.value

"""Parts of a page that are filled in once it is shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui

from protonet.web.page.parts import telling


def filled_later(told: str, fill: Callable[[], Awaitable[None]]) -> None:
    """Show ``told`` here until ``fill`` has made what belongs here.

    A page must answer within seconds; what takes longer runs when the browser has it.
    """
    place = ui.element("div").classes("w-full")
    with place, ui.row().classes("items-center gap-2"):
        ui.spinner(size="sm")
        ui.label(told).classes("quiet").props('role="status"')

    async def run() -> None:
        # The content is made before what was told goes, so that a mistake leaves the place clean.
        made = ui.element("div").classes("w-full")
        made.move(place)
        with made, telling():
            await fill()
        place.remove(0)

    ui.timer(0.05, run, once=True)

"""Parts of a page that are filled in after it is sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui

from protonet.web.page.parts import notify_errors


def filled_deferred(told: str, fill: Callable[[], Awaitable[None]]) -> None:
    """Show ``told`` as placeholder until ``fill`` has added the content.

    A page must be sent within seconds; slower parts run when the browser is connected.
    """
    place = ui.element("div").classes("w-full")
    with place, ui.row().classes("items-center gap-2"):
        ui.spinner(size="sm")
        ui.label(told).classes("quiet").props('role="status"')

    async def run() -> None:
        # Create the content before removing the placeholder, so that an error leaves it clean.
        made = ui.column().classes("w-full gap-4")
        made.move(place)
        with made, notify_errors():
            await fill()
        place.remove(0)

    ui.timer(0.05, run, once=True)

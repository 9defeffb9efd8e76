"""Shared parts of pages: notifications, times and numbers, confirmation dialogs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from nicegui import ui
from pydantic import ValidationError

from protonet.errors import ProtonetError
from protonet.web.forms import form_errors
from protonet.web.store import ABORT, DATASET, DONE, ERROR, RUN, WAIT, Job

COLORS = {WAIT: "grey-8", RUN: "primary", DONE: "positive", ERROR: "negative", ABORT: "warning"}
STATUS = {WAIT: "waiting", RUN: "running", DONE: "done", ABORT: "stopped", ERROR: "failed"}
"""The states of jobs in words."""
T = TypeVar("T")

TICK = 1.0
"""Seconds between updates of a job."""
LOG = 'role="log" tabindex=0 aria-label="Log"'
"""Properties of a log, which can be scrolled with keys."""


class NumberField(ui.number):
    """A field for a number; one out of bounds is left as typed, for validation to refuse.

    NiceGUI moves it to the nearest bound when the field loses the focus, which a click on a button
    beside it may or may not be ahead of.
    """

    def sanitize(self) -> None:
        """Leave the value as it is."""


@contextmanager
def notify_errors() -> Iterator[None]:
    """Show users' errors as notifications instead of tracebacks."""
    try:
        yield
    except (ProtonetError, ValidationError, ValueError) as error:
        ui.notify(
            message_of(error), type="negative", multi_line=True, close_button="Close", timeout=0,
            classes="message",
        )  # fmt: skip


def message_of(error: Exception) -> str:
    """The message of an error for the user."""
    if isinstance(error, ValidationError):
        return form_errors(error.errors())
    return str(error)


async def run_in_thread(call: Callable[..., T], *arguments: Any) -> T:
    """Run a slow call on a thread, so that the page stays responsive."""
    return await asyncio.to_thread(call, *arguments)


def page_of(job: Job) -> str:
    """The path of a job's page."""
    return f"/{'datasets' if job.kind == DATASET else 'jobs'}/{job.id}"


def status_badge(job: Job) -> None:
    """The status of a job as a colored badge, in a whole word."""
    told = STATUS[job.status]
    ui.badge(told, color=COLORS[job.status]).classes("status")


def when(seconds: float) -> str:
    """A time as text, in the server's time zone."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def duration(seconds: float | None) -> str:
    """Seconds as 12 s, 3 min 4 s, 2 h 5 min."""
    if seconds is None:
        return ""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def number(value: float | None, digits: int = 4) -> str:
    """A number, or a dash for None."""
    return "\u2013" if value is None else f"{value:.{digits}g}"


async def confirmed(question: str, yes: str) -> bool:
    """Ask for confirmation in a dialog."""
    with ui.dialog() as dialog, ui.card():
        ui.label(question)
        with ui.row().classes("justify-end w-full"):
            ui.button("Cancel", on_click=lambda: dialog.submit(False)).props("flat")
            ui.button(yes, on_click=lambda: dialog.submit(True)).props("color=negative")
    return bool(await dialog)


def action(
    text: str, icon: str, do: Callable[[], Any] | Callable[[], Awaitable[Any]], props: str = "flat"
) -> ui.button:
    """A button with text and icon."""
    return ui.button(text, icon=icon, on_click=do).props(f"no-caps dense {props}")


def quoted(text: str) -> str:
    """A text for a property in double quotes."""
    return text.replace('"', "'").replace("\\", "/")

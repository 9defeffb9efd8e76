"""A data set that is being made: how far it is, and its log."""

from __future__ import annotations

from nicegui import ui

from protonet.web.datasets.making import Making, making_of
from protonet.web.page.frame import panel
from protonet.web.page.parts import LOG, TICK, duration
from protonet.web.progress import log_of
from protonet.web.site import Site
from protonet.web.store import ENDED, RUN, Job


def show_making(site: Site, job: Job) -> None:
    """The progress of a creation, and its log; the page is shown anew when it has ended."""
    if job.status not in ENDED:
        with panel("Progress"):
            bar = ui.linear_progress(0, show_value=False, size="6px")
            bar.props('aria-label="progress"')
            told = ui.label("").props('role="status"').classes("number")
    with panel("Log"):
        log = ui.label(log_of(site.workspace, job)).classes("log").props(LOG)
    if job.status in ENDED:
        return

    def look() -> None:
        now = site.store.get(job.id)
        log.text = log_of(site.workspace, now)
        if now.status != job.status:
            ui.navigate.reload()
        making = making_of(site.workspace, now)
        bar.value = 0 if making is None else making.done / max(1, making.total)
        told.text = making_line(making, now)

    look()
    ui.timer(TICK, look)


def making_line(making: Making | None, job: Job) -> str:
    """How far it is, in words."""
    if making is None:
        return "Starts ..." if job.status == RUN else "Waits for others to end."
    left = "" if making.seconds_left is None else f", {duration(making.seconds_left)} left"
    return f"{making.done:,} of {making.total:,} {making.what}{left}"

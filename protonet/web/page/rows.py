"""Rows of lists of jobs, as HTML.

A list is one element of the page: as elements of their own, the cells of some rows take more time
than all that is around them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from nicegui import ui

from protonet.web.page.parts import COLORS, STATUS, page_of, when
from protonet.web.store import DATASET, Job


def row_list(rows: Iterable[str]) -> ui.html:
    """The list, of rows that ``row`` has made."""
    return ui.html("".join(rows), sanitize=False).props('role="list"').classes("w-full")


def row(cells: Iterable[str]) -> str:
    """A row of cells, which are HTML."""
    return f'<div class="job" role="listitem">{"".join(cells)}</div>'


def link(text: str, address: str, classes: str) -> str:
    """A cell that leads somewhere."""
    return f'<a class="nicegui-link {classes}" href="{escape(address)}">{escape(text)}</a>'


def job_cell(job: Job, classes: str) -> str:
    """The name of a job, which leads to its page."""
    return link(job.name, page_of(job), classes)


def words(text: str, classes: str = "quiet") -> str:
    """A cell of words."""
    return f'<span class="{classes}">{escape(text)}</span>'


def status_cell(job: Job) -> str:
    """The status of a job as a colored badge, in a whole word."""
    color = f"q-badge q-badge--single-line bg-{COLORS[job.status]}"
    return f'<span class="status {color}">{STATUS[job.status]}</span>'


def box(value: str, label: str, *, checked: bool) -> str:
    """A box to check; a change tells ``value``."""
    mark = " checked" if checked else ""
    return f'<input type="checkbox" value="{escape(value)}" aria-label="{escape(label)}"{mark}>'


def jobs_table(jobs: Sequence[Job]) -> None:
    """A short table of jobs: name, kind, status, time."""
    if not jobs:
        ui.label("Nothing here yet.").classes("quiet")
        return
    row_list(
        row(
            [
                job_cell(job, "name"),
                status_cell(job),
                words("data set" if job.kind == DATASET else "training"),
                words(when(job.created), "quiet number"),
            ]
        )
        for job in jobs
    ).classes("jobs")

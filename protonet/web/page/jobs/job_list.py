"""A list of jobs: filtered, sorted and paged by the database, with actions on the chosen ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from protonet.web.job_query import JobQuery, Sort
from protonet.web.page.jobs.chosen import Chosen
from protonet.web.page.parts import STATUS, TICK, duration, when
from protonet.web.page.rows import job_cell, link, row, row_list, status_cell, words
from protonet.web.progress import elapsed
from protonet.web.site import Site
from protonet.web.store import DATASET, TRAINING, Job

_SIZES = [25, 50, 100, 200]
_ANY, _NO_GROUP = "Any group", "Without a group"
_COLUMNS: dict[Sort, str] = {
    "name": "Name", "status": "Status", "group": "Group", "dataset": "Data set",
    "created": "Made", "seconds": "Time",
}  # fmt: skip


class JobList:
    """The list, of the data sets or of the trainings that ``query`` asks for."""

    def __init__(self, site: Site, query: JobQuery) -> None:
        self.site, self.query = site, query
        self.offset, self.size = 0, _SIZES[0]
        self.total = 0
        self.shown: list[Job] = []
        self.seen = -1
        columns = [*_COLUMNS]
        self.columns = [c for c in columns if c != "dataset" or query.kind == TRAINING]
        self._filters()
        self.chosen = Chosen(site, query.kind, self._matching, self._fill)
        self.place = ui.element("div").classes("w-full")
        with ui.row().classes("items-center gap-2 w-full"):
            self.told = ui.label().classes("quiet number").props('role="status"')
            ui.space()
            self.back = self._turn("chevron_left", "Previous page", -1)
            self.forth = self._turn("chevron_right", "Next page", 1)
            ui.select(
                _SIZES, value=self.size, label="Rows", on_change=lambda e: self._resize(e.value)
            ).props("outlined dense options-dense").style("min-width: 5rem")
        self._fill()
        ui.timer(TICK, self._look)

    def _filters(self) -> None:
        """The fields of the filter; a change shows the first page."""
        with ui.element("div").classes("filters"):
            self._text("Name contains", "name", self.query.name)
            ui.select(
                STATUS, multiple=True, value=[*self.query.status], label="Status",
                on_change=lambda e: self._ask(status=tuple(e.value)),
            ).props("outlined dense options-dense use-chips")  # fmt: skip
            self.groups = ui.select(
                self._groups(), value=self._group(), with_input=True, label="Group",
                on_change=lambda e: self._ask(group=_group_of(e.value)),
            ).props("outlined dense options-dense")  # fmt: skip
            if self.query.kind == TRAINING:
                self._text("Data set contains", "dataset", self.query.dataset)
            self._date("Made since", lambda day: self._ask(since=_time_of(day)))
            self._date("Made until", lambda day: self._ask(before=_time_of(day, days=1)))

    def _text(self, label: str, name: str, value: str) -> None:
        ui.input(label, value=value, on_change=lambda e: self._ask(**{name: e.value or ""})).props(
            "outlined dense debounce=300 clearable"
        )

    def _date(self, label: str, change: Callable[[str], None]) -> None:
        ui.input(label, on_change=lambda e: change(e.value or "")).props(
            "outlined dense type=date stack-label debounce=300"
        )

    def _turn(self, icon: str, name: str, way: int) -> ui.button:
        button = ui.button(icon=icon, on_click=lambda: self._go(self.offset + way * self.size))
        return button.props(f'flat dense aria-label="{name}"')

    def _groups(self) -> list[str]:
        known = self.site.store.groups(self.query.kind)
        if self.query.group:
            known.setdefault(self.query.group, 0)
        return [_ANY, _NO_GROUP, *known]

    def _group(self) -> str:
        return _ANY if self.query.group is None else self.query.group or _NO_GROUP

    def _matching(self) -> list[str]:
        """The ids of all jobs that match, on all pages."""
        return self.site.store.ids(self.query)

    def _ask(self, **changes: Any) -> None:
        """Change the filter or the order."""
        self.query = replace(self.query, **changes)
        self._go(0)

    def _sort(self, column: Sort) -> None:
        other = column != self.query.sort
        ascending = column in ("name", "group", "dataset", "status")
        self._ask(sort=column, descending=not ascending if other else not self.query.descending)

    def _resize(self, size: int) -> None:
        self.size = size
        self._go(0)

    def _go(self, offset: int) -> None:
        self.offset = max(0, offset)
        self._fill()

    def _look(self) -> None:
        """Show changes of the store, which costs one small query if there are none."""
        if self.site.store.revision() != self.seen:
            self._fill()

    def _fill(self) -> None:
        """Read and show the rows of the page."""
        self.seen = self.site.store.revision()
        page = self.site.store.page(self.query, self.offset, self.size)
        if not page.jobs and page.total:  # the last page is gone
            self.offset = (page.total - 1) // self.size * self.size
            page = self.site.store.page(self.query, self.offset, self.size)
        self.shown, self.total = page.jobs, page.total
        groups = self._groups()
        if self.groups.options != groups:
            self.groups.set_options(groups)
        self.chosen.show(self.total, [job.id for job in self.shown])
        self.place.clear()
        with self.place:
            self._rows()
        last = self.offset + len(self.shown)
        self.told.text = f"{self.offset + 1:,} to {last:,} of {self.total:,}" if self.total else ""
        self.back.set_enabled(self.offset > 0)
        self.forth.set_enabled(last < self.total)

    def _rows(self) -> None:
        kind = "trainings" if self.query.kind == TRAINING else "datasets"
        if not self.total:
            filtered = self.query.where() != JobQuery(self.query.kind).where()
            ui.label("None match the filter." if filtered else "Nothing here yet.").classes("quiet")
            return
        with ui.element("div").classes(f"jobs {kind}"):
            with ui.element("div").classes("job heads"):
                ui.element("span")
                for column in self.columns:
                    self._head(column)
            needed = {each for job in self.shown for each in job.needs}
            known = {job.id: job for job in self.site.store.some([*needed])}
            self.chosen.listen(row_list(self._row(job, known) for job in self.shown))

    def _head(self, column: Sort) -> None:
        here = column == self.query.sort
        icon = ("arrow_downward" if self.query.descending else "arrow_upward") if here else None
        button = ui.button(
            _COLUMNS[column], icon=icon, color=None, on_click=lambda: self._sort(column)
        )
        way = f", {'descending' if self.query.descending else 'ascending'}" if here else ""
        label = f'aria-label="Sort by {_COLUMNS[column].lower()}{way}"'
        button.props(f"flat dense no-caps {label}").classes("head")
        button.classes("quiet" if column not in ("name", "status") else "")

    def _row(self, job: Job, known: dict[str, Job]) -> str:
        cells = [
            self.chosen.box(job),
            job_cell(job, "name"),
            status_cell(job),
            self._group_cell(job),
        ]
        if self.query.kind == TRAINING:
            data = (known[each] for each in job.needs if each in known)
            found = next((each for each in data if each.kind == DATASET), None)
            cells.append(words("") if found is None else job_cell(found, "quiet"))
        cells.append(words(when(job.created), "quiet number"))
        cells.append(words(duration(elapsed(job)) if job.started else "", "quiet number"))
        return row(cells)

    def _group_cell(self, job: Job) -> str:
        """The group of a job; that of a training leads to its comparison."""
        if job.group and self.query.kind == TRAINING:
            return link(job.group, f"/compare?{urlencode({'group': job.group})}", "quiet")
        return words(job.group)


def _group_of(shown: str | None) -> str | None:
    if shown in (None, _ANY):
        return None
    return "" if shown == _NO_GROUP else shown


def _time_of(day: str, days: int = 0) -> float | None:
    """The beginning of a day, or of one after it; None without a day."""
    try:
        return (datetime.fromisoformat(day) + timedelta(days=days)).timestamp()
    except ValueError:
        return None

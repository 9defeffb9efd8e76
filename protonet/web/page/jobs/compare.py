"""Comparison of several trainings: settings, best values, curves."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from protonet.jobs.comparison.table import Row
from protonet.web.comparison import Compared, chosen_trainings, compare
from protonet.web.curves import Curves, curves_of
from protonet.web.page import charts
from protonet.web.page.chart import Chart
from protonet.web.page.deferred import filled_deferred
from protonet.web.page.frame import frame, heading, page, panel
from protonet.web.page.jobs.parallel import parallel
from protonet.web.page.parts import action, notify_errors, page_of, run_in_thread
from protonet.web.site import Site
from protonet.web.store import Job

_KINDS = {"loss": "Training loss", "validation_loss": "Validation loss", "rate": "Learning rate"}


_LINK = """<q-td :props="props"><a :href="props.row.link" class="nicegui-link">{{ props.value }}</a>
</q-td>"""
_DRAWN = 20
"""Trainings whose curves are drawn together."""


def add(site: Site) -> None:
    """Add the page."""

    @page("/compare")
    def compare_page(jobs: str = "", group: str = "") -> None:
        with frame("Compare", "Jobs"):
            heading(f"Compare: {group}" if group else "Compare")
            with notify_errors():
                found, total = chosen_trainings(site, jobs, group)
                if not found:
                    ui.label("No training is in this group.").classes("quiet")
                    return
                query = urlencode({"group": group} if group else {"jobs": jobs})
                filled_deferred(
                    "Reading the trainings ...", lambda: _fill(site, found, total, query)
                )


async def _fill(site: Site, jobs: list[Job], total: int, query: str) -> None:
    """Fill in the page: metrics of long trainings take a while to read."""
    compared = await run_in_thread(compare, site, jobs, total)
    with panel("Settings that differ, and best values"):
        if total > len(jobs):
            ui.label(f"The newest {len(jobs):,} of {total:,} trainings.").classes("quiet")
        _table(compared)
        action("CSV", "download", lambda: ui.download(f"/api/jobs/table.csv?{query}"))
    if len(jobs) > 1 and compared.table.settings and compared.table.outputs:
        with panel("Each training as a line"):
            Chart(parallel(compared.table)).classes("chart")
    await _curves(site, jobs)


def _table(compared: Compared) -> None:
    """The table, sorted by a click on a title; the best of each column is bold."""
    table = compared.table
    names = [*table.settings, *table.outputs]
    columns = [{"name": "name", "label": "Training", "field": "name", "align": "left",
                "sortable": True}]  # fmt: skip
    columns += [
        {"name": f"value{place}", "label": name, "field": f"value{place}", "align": "right",
         "sortable": True, ":format": f"(value, row) => row.text{place}"}
        for place, name in enumerate(names)
    ]  # fmt: skip
    winners = {name: table.winners(name) for name in table.outputs}
    texts = {name: table.texts(name, compared.names) for name in table.settings}
    rows: list[dict[str, Any]] = []
    for place, (job, row) in enumerate(zip(compared.jobs, table.rows, strict=True)):
        rows.append({"id": job.id, "name": job.name, "link": page_of(job)})
        for at, name in enumerate(names):
            wins = place in winners.get(name, ())
            if at < len(table.settings):
                value, text = _setting(row, name, texts[name][place])
            else:
                value, text = _best(row, name, wins=wins)
            rows[-1] |= {f"value{at}": value, f"text{at}": text}
    made = ui.table(columns=columns, rows=rows, row_key="id", pagination={"rowsPerPage": 50})
    made.props("flat dense wrap-cells").classes("w-full compared")
    made.add_slot("body-cell-name", _LINK)


def _setting(row: Row, name: str, text: str) -> tuple[Any, str]:
    """The value of a cell to sort by, and its text."""
    value = row.settings.get(name)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if number else text, text


def _best(row: Row, name: str, *, wins: bool) -> tuple[Any, str]:
    """The same of the best value of an output."""
    best = row.best.get(name)
    if best is None:
        return None, "\u2013"
    return best.value, f"{best.value:.5g} at {best.iteration:,}{' (best)' if wins else ''}"


async def _curves(site: Site, jobs: list[Job]) -> None:
    """The curves of the first trainings on one chart."""
    drawn = jobs[:_DRAWN]
    curves = {
        f"{job.name} ({job.id[-6:]})": await run_in_thread(curves_of, site.workspace, job)
        for job in drawn
    }
    with panel("Curves"):
        if len(jobs) > len(drawn):
            ui.label(f"Those of the first {len(drawn)} of {len(jobs)} trainings.").classes("quiet")
        with ui.row().classes("items-center"):
            outputs = sorted({name for each in curves.values() for name in each.outputs})
            kinds = {**_KINDS, **{name: name for name in outputs}}
            kind = ui.select(kinds, value="loss", label="What").props("outlined dense")
            log = ui.checkbox("Log scale", value=True)
        chart = Chart(_chart(curves, "loss", log=True)).classes("chart")

    def draw() -> None:
        chart.show(_chart(curves, kind.value, log=log.value))

    kind.on_value_change(draw)
    log.on_value_change(draw)


def _chart(curves: dict[str, Curves], kind: str, *, log: bool) -> dict[str, object]:
    series = {
        name: getattr(each, kind) if kind in _KINDS else each.outputs.get(kind, [])
        for name, each in curves.items()
    }
    return charts.curves(series, y=_KINDS.get(kind, kind), log=log)

"""The classes of a data set: how many images of each part have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nicegui import ui

from protonet.web.datasets.explore import PartShares, shares
from protonet.web.page import charts
from protonet.web.page.chart import Chart
from protonet.web.page.parts import notify_errors, run_in_thread
from protonet.web.site import Site
from protonet.web.store import Job

_AGAIN = 0.5
_PARTS = {"train": "training", "val": "validation"}
_SHOWN = 200
"""Classes in the chart; the others are told below it."""


async def show_shares(site: Site, job: Job) -> None:
    """A chart of the classes, filled in when their index is made."""
    place = ui.column().classes("w-full")
    folder, databases = site.index_folder(job.id), site.databases(job)

    async def look() -> None:
        with notify_errors():
            found = await run_in_thread(shares, site.indexes, folder, databases)
            place.clear()
            with place:
                _show(found)
                if any(each.classes is None for each in found):
                    ui.timer(_AGAIN, look, once=True)

    await look()


def _show(found: Sequence[PartShares]) -> None:
    for each in found:
        if each.classes is None:
            count = each.indexing
            done = 0 if count is None else count.done
            told = f"Indexing the {_PARTS[each.part]} images: {done:,} of {each.images:,} ..."
            ui.label(told).props('role="status"').classes("quiet number")
    whole = [each for each in found if each.classes is not None]
    if any(each.classes for each in whole):
        Chart(shares_chart(whole)).classes("chart low")
        more = max(len(each.classes or ()) for each in whole) - _SHOWN
        if more > 0:
            ui.label(f"The first {_SHOWN} classes; {more:,} more.").classes("quiet")


def shares_chart(parts: Sequence[PartShares]) -> dict[str, Any]:
    """The percentage of the images of each part that hold a class."""
    classes = {each.number: each.name for part in parts for each in part.classes or ()}
    numbers = sorted(classes)[:_SHOWN]
    series = []
    for part in parts:
        images = {each.number: each.images for each in part.classes or ()}
        series.append((
            _PARTS[part.part],
            [round(100 * images.get(number, 0) / max(1, part.images), 2) for number in numbers],
        ))  # fmt: skip
    return charts.bars([classes[number] for number in numbers], series, y="% of images")

"""The page that looks through a whole data set: by part, class and key, a page at a time."""

from __future__ import annotations

import math
from typing import Any

from nicegui import ui

from protonet.web.datasets import Databases
from protonet.web.datasets.classes import Classes
from protonet.web.datasets.explore import Found, PartShares, Query, find, shares
from protonet.web.datasets.samples import Sample, Shown, samples_of
from protonet.web.page.datasets.figures import figures, large, legend
from protonet.web.page.frame import panel
from protonet.web.page.parts import notify_errors, run_in_thread
from protonet.web.site import Site
from protonet.web.store import Job

_PAGE = 24
_SIDE = 256
_AGAIN = 0.5
"""Seconds until an index that is being made is looked at again."""
_NAMED = 30
"""Classes in the legend."""


class Explorer:
    """The images of a data set, a page at a time."""

    def __init__(self, site: Site, job: Job) -> None:
        self.site = site
        self.folder = site.index_folder(job.id)
        self.databases: Databases = site.databases(job)
        self.classes = Classes()
        self.form = "classification"
        self.asked = 0
        self._resetting = False

    async def build(self) -> None:
        """Build the page."""
        self.form = await run_in_thread(lambda: self.databases.form)
        with notify_errors():
            self.classes = await run_in_thread(Classes.of, self.databases)
        with panel():
            with ui.element("div").classes("fields"):
                self._controls()
            numbers = list(self.classes.names)[:_NAMED]
            if self.form in ("detection", "segmentation") and numbers:
                names = {n: self.classes.name(n) for n in numbers if n or self.form != "detection"}
                legend(names, {n: self.classes.colour(n) for n in names})
            self.status = ui.label("").props('role="status"').classes("number")
            self.images = ui.column().classes("w-full")
            self.pages = ui.pagination(1, 1, direction_links=True, on_change=self._turned)
            self.pages.props("max-pages=7 boundary-numbers aria-label=Pages")
        await self._ask()

    def _controls(self) -> None:
        parts = {"train": "Training", "val": "Validation"}
        there = {name: told for name, told in parts.items() if self.databases.part(name)[0]}
        self.part = ui.select(there, value="train", label="Part", on_change=self._changed)
        self.part.props("outlined dense").classes("field")
        self.number = ui.select(
            {None: "All"}, value=None, label="Class", with_input=True, on_change=self._changed
        )
        self.number.props("outlined dense").classes("field")
        self.number.set_visibility(self.form != "regression")
        self.text = ui.input("Key contains", on_change=self._changed)
        self.text.props("outlined dense clearable debounce=300").classes("field")
        self.page = ui.number("Page", value=1, min=1, on_change=self._jumped)
        self.page.props("outlined dense debounce=300").classes("field")
        with ui.column().classes("field gap-0") as strength:
            ui.label("Strength of the colors").classes("quiet")
            self.opacity = ui.slider(min=0, max=1, step=0.05, value=0.5, on_change=self._ask)
            self.opacity.props('label aria-label="Strength of the colors"')
        strength.set_visibility(self.form == "segmentation")

    async def _changed(self) -> None:
        """Another question begins at its first page."""
        self._resetting = True
        self.pages.value = 1
        self.page.value = 1
        self._resetting = False
        await self._ask()

    async def _turned(self) -> None:
        if not self._resetting:
            self._resetting = True
            self.page.value = self.pages.value
            self._resetting = False
            await self._ask()

    async def _jumped(self) -> None:
        wanted = self.page.value
        if not self._resetting and wanted and wanted == int(wanted):
            self._resetting = True
            self.pages.value = max(1, min(int(wanted), self.pages.max))
            self._resetting = False
            await self._ask()

    async def _ask(self) -> None:
        """Show what is asked for; only the newest question is answered."""
        self.asked += 1
        mine = self.asked
        query = Query(
            self.part.value, self.number.value, (self.text.value or "")[:500],
            (int(self.pages.value or 1) - 1) * _PAGE, _PAGE,
        )  # fmt: skip
        shown = Shown(_SIDE, float(self.opacity.value))
        answered = False
        with notify_errors():
            found, looked = await run_in_thread(self._answer, query, shown)
            answered = True
            if mine == self.asked:
                self._show(query, found, looked)
        if not answered and mine == self.asked:  # the images of another question must not stay
            self.images.clear()
            self.status.text = ""
        elif mine == self.asked:
            with notify_errors():
                self._name(await run_in_thread(shares, self.site.indexes, self.folder,
                                               self.databases))  # fmt: skip

    def _answer(self, query: Query, shown: Shown) -> tuple[Found, list[Sample]]:
        found = find(self.site.indexes, self.folder, self.databases, query)
        return found, samples_of(self.databases, query.part, found.keys, shown)

    def _show(self, query: Query, found: Found, looked: list[Sample]) -> None:
        self._resetting = True
        self.pages.max = max(1, math.ceil((found.total or 0) / _PAGE))
        self._resetting = False
        self.status.text = status_line(query, found)
        self.images.clear()
        with self.images:
            figures(looked, self._colours(), self._open)
            if found.indexing is not None:
                ui.timer(_AGAIN, self._ask, once=True)

    def _name(self, parts: list[PartShares]) -> None:
        """The classes with the number of their images, once these are known."""
        mine = next((each for each in parts if each.part == self.part.value), None)
        options: dict[Any, str] = {None: "All"}
        for each in (mine.classes if mine is not None else None) or ():
            options[each.number] = f"{each.name} ({each.images:,})"
        if self.number.value not in options:
            options[self.number.value] = self.classes.name(self.number.value)
        if options != self.number.options:
            self.number.set_options(options)

    async def _open(self, sample: Sample) -> None:
        """The image as large as it is."""
        key, part = sample.key, self.part.value
        with notify_errors():
            # Keys that are no text cannot be asked for by their text: the small picture stays.
            whole = await run_in_thread(
                samples_of, self.databases, part, [key.encode()],
                Shown(None, float(self.opacity.value)),
            ) if "\ufffd" not in key else [sample]  # fmt: skip
            with ui.dialog(value=True) as dialog, ui.card().classes("q-pa-md"):
                large(whole[0], self._colours())
                ui.button("Close", on_click=dialog.close).props("flat")

    def _colours(self) -> dict[int, str]:
        return {number: self.classes.colour(number) for number in range(256)}


def status_line(query: Query, found: Found) -> str:
    """``25 to 48 of 1,000 images``, or how far the index is."""
    if found.total is None:
        count = found.indexing
        far = "" if count is None or not count.total else f": {count.done:,} of {count.total:,}"
        return f"Indexing the images{far} ..."
    if not found.total:
        return "No images."
    first, last = query.offset + 1, query.offset + len(found.keys)
    return f"{first:,} to {last:,} of {found.total:,} images"

"""The form of a test on many images, its progress, and pages of images."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from protonet.jobs.predictions.summary import Found
from protonet.jobs.tasks.progress_log import line_of
from protonet.web.data_url import data_url
from protonet.web.forms import ImagesQuery, TestForm
from protonet.web.page.frame import panel
from protonet.web.page.parts import NumberField, notify_errors, quoted, run_in_thread
from protonet.web.page.results.panel import Place
from protonet.web.results.listing import ImagePage, Seen, image_page
from protonet.web.results.tests import TestState

_TICK = 0.3
_PAGE = 24


@dataclass(frozen=True)
class Many:
    """What the form of many images asks for: a sentence, and what ``labels`` are, "" for none."""

    told: str = "A database, a folder of images, or a list of files."
    labels: str = "Label vectors"


class ManyForm:
    """The form of many images. A test runs in a process of its own; a page may be left meanwhile.

    Args:
        place: the training.
        asked: what is asked for.
        show: adds the results to the page, awaited.
    """

    def __init__(self, place: Place, asked: Many, show: Callable[[Found], Awaitable[None]]) -> None:
        self.place, self.asked, self.show = place, asked, show
        self.key = ""

    def build(self) -> None:
        """Add the form."""
        databases = self.place.databases
        shown = self.place.site.workspace.shown
        with panel("Test many"):
            ui.label(self.asked.told).classes("quiet")
            with ui.element("div").classes("fields"):
                self.images = _text("Images", shown(databases.val_images or databases.train_images))
                self.labels = None
                if self.asked.labels:
                    self.labels = _text(self.asked.labels, shown(databases.val_labels))
                self.most = NumberField("At most (empty for all)", min=1)
                self.most.props("outlined dense").classes("field")
            ui.button("Test many", on_click=self._begin)
            self.kept = ui.select({}, label="Tests of before", on_change=self._again)
            self.kept.props("outlined dense options-dense").classes("field")
            self.status = ui.label().classes("quiet").props('role="status"')
            self.bar = ui.linear_progress(0, show_value=False, size="6px")
            self.bar.props('aria-label="Progress of the test"')
            self.bar.set_visibility(False)
            self.stop = ui.button("Stop the test", on_click=self._stop).props("flat no-caps")
            self.stop.bind_visibility_from(self.bar)
            self.results = ui.column().classes("w-full gap-4")
            self.timer = ui.timer(_TICK, self._look, active=False)
            self._list()

    def _list(self) -> None:
        """Offer the tests that are kept, and those that run."""
        found = self.place.site.tests.all(self.place.job)
        self.states = {each.key: each for each in found if each.asked and each.status != "error"}
        self.kept.set_options({key: _told(each) for key, each in self.states.items()})
        self.kept.set_visibility(bool(self.states))

    def _again(self) -> None:
        """Show the chosen test, or how far it is."""
        state = self.states.get(self.kept.value or "")
        if state is None or state.key == self.key:
            return
        self._clear()
        assert state.asked is not None
        self.images.value, self.most.value = state.asked.path, state.asked.most
        if self.labels is not None:
            self.labels.value = state.asked.labels or ""
        self.key = state.key
        self.timer.activate()

    def _clear(self) -> None:
        self.results.clear()
        self.status.text = ""
        self.timer.deactivate()
        self.bar.set_visibility(False)

    async def _begin(self) -> None:
        self._clear()
        self.key, self.kept.value = "", None
        with notify_errors():
            most = self.most.value
            labels = self.labels.value if self.labels is not None else None
            form = TestForm(
                path=self.images.value or "", labels=labels or None,
                snapshot=self.place.snapshot.value, most=most,
            )  # fmt: skip
            tests, job = self.place.site.tests, self.place.job
            self.key = (await run_in_thread(tests.start, job, form)).key
            self._list()
            self.kept.value = self.key if self.key in self.states else None
            self.status.text = "Beginning ..."
            self.bar.set_visibility(True)
            self.timer.activate()

    async def _stop(self) -> None:
        self.timer.deactivate()
        self.bar.set_visibility(False)
        self.status.text = "The test was stopped."
        with notify_errors():
            await run_in_thread(self.place.site.tests.remove, self.place.job, self.key)
            self.key, self.kept.value = "", None
            self._list()

    async def _look(self) -> None:
        tests, job = self.place.site.tests, self.place.job
        with notify_errors():
            key = self.key
            state = await run_in_thread(tests.state, job, key)
            if key != self.key or not self.timer.active:
                return  # stopped, or another one was chosen, meanwhile
            if state.status == "run":
                self.bar.set_visibility(True)
                if state.progress is not None:
                    self.status.text = line_of(state.progress)
                    self.bar.value = state.progress.done / max(1, state.progress.total)
                return
            self.timer.deactivate()
            self.bar.set_visibility(False)
            self.status.text = ""
            if state.status == "error":
                with self.results, ui.row().classes("mistake w-full"):
                    ui.label(state.error).classes("told")
                return
            found = await run_in_thread(tests.open, job, self.key)
            with self.results:
                await self.show(found)


class ImagePages:
    """Pages of images of a test.

    Args:
        found: the predictions.
        draw: adds an image, inside of a figure.
        classes: of the grid.
        size: images of a page.
    """

    def __init__(
        self,
        found: Found,
        draw: Callable[[Seen], Any],
        classes: str = "samples images",
        size: int = _PAGE,
    ) -> None:
        self.found, self.draw, self.size = found, draw, size
        self.query = ImagesQuery()
        self.title = ui.label().classes("quiet").props('role="status"')
        self.grid = ui.element("div").classes(classes)
        self.pages = ui.pagination(1, 1, direction_links=True, on_change=self._turn)
        self.pages.props(':max-pages="7" boundary-numbers')

    async def choose(self, query: ImagesQuery, title: str) -> None:
        """Show the first page of an order; ``title`` says which images these are."""
        self.query, self.shown = query, title
        page = await self._fill(0)
        self.pages.max = max(1, -(-page.total // self.size))
        self.pages.value = 1
        self.pages.set_visibility(page.total > self.size)

    async def _turn(self) -> None:
        if self.pages.value and (self.pages.value - 1) * self.size != self.query.offset:
            await self._fill((self.pages.value - 1) * self.size)

    async def _fill(self, offset: int) -> ImagePage:
        self.query = self.query.model_copy(update={"offset": offset, "count": self.size})
        page = await run_in_thread(image_page, self.found, self.query)
        last = offset + len(page.images)
        numbers = f"{offset + 1:,} to {last:,} of {page.total:,}" if page.total else "none"
        self.title.text = f"{self.shown}: {numbers}"
        self.grid.clear()
        with self.grid:
            for seen in page.images:
                with ui.element("figure"):
                    self.draw(seen)
        return page


def show_picture(seen: Seen) -> None:
    """The picture of an image, if it can still be read."""
    if seen.png is not None:
        ui.element("img").props(f'src="{data_url(seen.png)}" alt="{quoted(seen.image.name)}"')


def show_failures(failed: Sequence[str], failures: int) -> None:
    """The images that could not be read."""
    if not failures:
        return
    with ui.expansion(f"{failures:,} images could not be read").classes("w-full"):
        for message in failed:
            ui.label(message).classes("mistake")
        if failures > len(failed):
            ui.label(f"and {failures - len(failed):,} more").classes("quiet")


def _told(state: TestState) -> str:
    """A test of before, by what it was begun with."""
    asked = state.asked
    assert asked is not None
    first = "" if asked.most is None else f", at most {asked.most:,}"
    return f"{asked.path}, iteration {asked.snapshot}{first}"


def _text(label: str, value: str) -> ui.input:
    made = ui.input(label, value=value)
    return made.props("outlined dense").classes("field")

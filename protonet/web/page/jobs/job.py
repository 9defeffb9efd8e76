"""The page of a training: curves, metrics, log, and tests on images."""

from __future__ import annotations

from nicegui import ui

from protonet.sizes import byte_count
from protonet.web.page.frame import frame, page, panel
from protonet.web.page.jobs.curve_panel import CurvePanel
from protonet.web.page.jobs.job_bar import job_bar, notes_field
from protonet.web.page.jobs.run_panels import LogPanel, RunPanels
from protonet.web.page.parts import TICK, duration, notify_errors, number, run_in_thread
from protonet.web.page.results.chosen import test_panel
from protonet.web.progress import Progress, progress_of, run_of
from protonet.web.site import Site
from protonet.web.store import ENDED, TRAINING, Job


def add(site: Site) -> None:
    """Add the page."""

    @page("/jobs/{job_id}")
    def show_page(job_id: str) -> None:
        with frame("Training", "Jobs"), notify_errors():
            _Live(site, site.get(job_id, TRAINING)).build()


_TICKING = """<script>
setInterval(() => {
  for (const e of document.querySelectorAll("[data-left]")) {
    const told = e.dataset.left;
    if (told === "unknown") continue;
    if (e.told !== told) { e.told = told; e.since = Date.now(); }
    const left = Math.max(0, Math.round(told - (Date.now() - e.since) / 1000));
    const h = Math.floor(left / 3600), m = Math.floor(left % 3600 / 60);
    e.textContent = h ? `${h} h ${m} min` : m ? `${m} min ${left % 60} s` : `${left} s`;
  }
}, 1000);
</script>"""
"""Counts the time left down in the browser, from the last that the server told."""


class _Live:
    """The page of a training, updated every second while it runs."""

    def __init__(self, site: Site, job: Job) -> None:
        self.site = site
        self.job = job
        self.figures: dict[str, ui.label] = {}
        self.signature: object = None
        self.testable = False
        self.timer: ui.timer | None = None

    def build(self) -> None:
        """Build the page."""
        self.top = ui.column().classes("w-full gap-4")
        with self.top:
            job_bar(self.site, self.job, self._changed)
        notes_field(self.site, self.job)
        with panel("Training"):
            self.bar = ui.linear_progress(0, show_value=False, size="6px")
            self.bar.props('aria-label="Progress"')
            with ui.element("div").classes("facts"):
                for name in ("iteration", "epoch", "loss", "validation loss", "learning rate",
                             "iterations per second", "images per second", "time left",
                             "memory"):  # fmt: skip
                    with ui.element("div").classes("fact"):
                        self.figures[name] = ui.label("\u2013").classes("value")
                        ui.label(name).classes("name")
            self.curves = CurvePanel(self.site, self.job)
        self.tests = ui.column().classes("w-full")
        with panel("Log"):
            self.log = LogPanel(self.site, self.job)
        RunPanels(self.site, self.job)
        ui.add_body_html(_TICKING)
        # The page is sent before the metrics are read, which for a long training takes a while.
        self.timer = ui.timer(TICK, self._look)

    async def _look(self) -> None:
        """Update everything that has changed."""
        job = self.site.store.get(self.job.id)
        if job.status != self.job.status:
            # Only the top: a prediction that the user reads stays, and notes that he writes.
            self.job = job
            self.top.clear()
            with self.top:
                job_bar(self.site, job, self._changed)
        progress = await run_in_thread(progress_of, self.site.workspace, job)
        self._show(progress)
        self.log.update()
        signature = (progress.iteration, progress.validation_loss, progress.snapshots)
        if signature != self.signature:
            self.signature = signature
            await self.curves.redraw()
        if progress.snapshots and not self.testable:
            self.testable = True
            with self.tests:
                test_panel(self.site, job, run_of(self.site.workspace, job))
        if job.status in ENDED and self.timer is not None:
            self.timer.deactivate()

    async def _changed(self) -> None:
        """After a button: update now, and continue updating."""
        if self.timer is not None:
            self.timer.activate()
        await self._look()

    def _show(self, progress: Progress) -> None:
        ends = progress.iterations
        self.bar.value = progress.iteration / ends if ends else 0
        shown = {
            "iteration": f"{progress.iteration:,} / {ends:,}" if ends else "\u2013",
            "epoch": number(progress.epoch),
            "loss": number(progress.loss),
            "validation loss": number(progress.validation_loss),
            "learning rate": number(progress.rate),
            "iterations per second": number(progress.per_second),
            "images per second": number(progress.images_per_second),
            "time left": duration(progress.seconds_left) or "\u2013",
            "memory": byte_count(progress.memory) if progress.memory else "\u2013",
        }
        for name, text in shown.items():
            if self.figures[name].text != text:
                self.figures[name].text = text
        left = progress.seconds_left
        self.figures["time left"].props(f"data-left={'unknown' if left is None else round(left)}")

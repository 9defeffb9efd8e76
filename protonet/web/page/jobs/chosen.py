"""The chosen jobs of a list, also on other pages, and the actions on them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from nicegui import events, ui

from protonet.web import bulk
from protonet.web.page.parts import action, confirmed, run_in_thread
from protonet.web.page.rows import box
from protonet.web.site import Site
from protonet.web.store import TRAINING, Job

_COMPARED = 20
"""Trainings that can be compared on one page by their ids; those of a group have no limit."""
_TOLD = 5
"""Refusals that are told one by one."""
_CHANGED = "event => emit([event.target.value, event.target.checked])"


class Chosen:
    """The bar of actions, and the boxes of the rows.

    Args:
        site: the workspace.
        kind: of the jobs.
        matching: the ids of all jobs that match the filter.
        changed: called when jobs have changed.
    """

    def __init__(
        self,
        site: Site,
        kind: str | None,
        matching: Callable[[], list[str]],
        changed: Callable[[], None],
    ) -> None:
        self.site, self.matching, self.changed = site, matching, changed
        self.ids: dict[str, None] = {}
        self.rows: ui.html | None = None
        self.here: Sequence[str] = ()
        self.total = 0
        with ui.row().classes("items-center gap-1 w-full"):
            self.told = ui.label().classes("quiet number").props('role="status"')
            action("This page", "check_box", lambda: self._take(self.here))
            self.all = action("All", "select_all", lambda: self._take(self.matching()))
            self.none = action("None", "deselect", self._clear)
            ui.space()
            self.acts = [
                action("Stop", "stop", self._stop),
                action("Group", "folder", self._group),
                action("Delete", "delete", self._delete, "flat color=negative"),
            ]
            self.compare: ui.button | None = None
            if kind == TRAINING:
                self.compare = action("Compare", "compare_arrows", self._compare)

    def show(self, total: int, here: Sequence[str]) -> None:
        """The rows that are shown now, and the number of all that match."""
        self.total, self.here = total, here
        self._tell()

    def box(self, job: Job) -> str:
        """The box of a row."""
        return box(job.id, f"Choose {job.name}", checked=job.id in self.ids)

    def listen(self, rows: ui.html) -> None:
        """Follow the boxes of the list."""
        self.rows = rows.on("change", self._set, js_handler=_CHANGED)

    def _set(self, event: events.GenericEventArguments) -> None:
        job_id, wanted = event.args
        if wanted:
            self.ids[job_id] = None
        else:
            self.ids.pop(job_id, None)
        self._tell()

    def _take(self, ids: Sequence[str]) -> None:
        self.ids |= dict.fromkeys(ids)
        self._mark()

    def _clear(self) -> None:
        self.ids.clear()
        self._mark()

    def _mark(self) -> None:
        """Check the boxes of the rows as they are chosen now."""
        if self.rows is not None:
            here = [job_id for job_id in self.here if job_id in self.ids]
            ui.run_javascript(
                f"for (const box of getHtmlElement({self.rows.id}).querySelectorAll('input'))"
                f" box.checked = {json.dumps(here)}.includes(box.value)"
            )
        self._tell()

    def _tell(self) -> None:
        self.told.text = f"{len(self.ids):,} chosen"
        self.all.text = f"All {self.total:,}"
        for button in (*self.acts, self.none):
            button.set_enabled(bool(self.ids))
        if self.compare is not None:
            self.compare.set_enabled(len(self.ids) > 1)

    async def _stop(self) -> None:
        await self._done(bulk.stop, "stopped")

    async def _delete(self) -> None:
        if await confirmed(f"Delete {_jobs(len(self.ids))} with all files?", "Delete"):
            await self._done(bulk.delete, "deleted")

    async def _group(self) -> None:
        with ui.dialog() as dialog, ui.card():
            ui.label(f"Put {_jobs(len(self.ids))} into a group")
            name = ui.input(
                "Group (empty for none)", autocomplete=[*self.site.store.groups()]
            ).props("outlined dense autofocus maxlength=200")
            ui.button("Put into the group", on_click=lambda: dialog.submit(name.value or ""))
        group = await dialog
        if group is not None:
            put = bulk.put_into
            await self._done(lambda site, ids: put(site, group, ids), "put into the group")

    async def _done(self, act: Callable[[Site, Sequence[str]], bulk.Outcome], told: str) -> None:
        """Do it, tell what was done and what was refused; the refused ones stay chosen."""
        outcome = await run_in_thread(act, self.site, [*self.ids])
        self.ids = dict.fromkeys(outcome.refused)
        if outcome.done:
            ui.notify(f"{_jobs(len(outcome.done))} {told}", type="positive")
        if outcome.refused:
            why = [*outcome.refused.values()]
            more = [f"and {len(why) - _TOLD:,} more"] if len(why) > _TOLD else []
            ui.notify(
                "\n".join([f"{_jobs(len(why))} not {told}:", *why[:_TOLD], *more]),
                type="negative", multi_line=True, close_button="Close", timeout=0,
                classes="message",
            )  # fmt: skip
        known = {job.id for job in self.site.store.some([*self.ids])}
        self.ids = {job_id: None for job_id in self.ids if job_id in known}
        self.changed()

    def _compare(self) -> None:
        """Show the chosen trainings together, in the order of the list."""
        order = [job_id for job_id in self.matching() if job_id in self.ids]
        rest = [job_id for job_id in self.ids if job_id not in set(order)]
        ids = [*order, *rest]
        if len(ids) > _COMPARED:
            ui.notify(
                f"{len(ids):,} are chosen; at most {_COMPARED} can be compared by choice. Put them "
                "into a group to compare them all.", type="warning", multi_line=True,
            )  # fmt: skip
            return
        ui.navigate.to(f"/compare?jobs={','.join(ids)}")


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count:,} jobs"

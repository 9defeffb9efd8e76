"""The top of a job's page: name, status, and actions."""

from __future__ import annotations

from collections.abc import Callable
from inspect import isawaitable
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from protonet.web.forms import ChangeForm
from protonet.web.page.frame import heading
from protonet.web.page.parts import (
    NumberField,
    action,
    confirmed,
    duration,
    notify_errors,
    status_badge,
    when,
)  # fmt: skip
from protonet.web.progress import elapsed, run_of
from protonet.web.site import Site
from protonet.web.store import ABORT, DATASET, ENDED, ERROR, RUN, TRAINING, WAIT, Job
from protonet.web.training_form import LengthForm, ResumeForm


def job_bar(site: Site, job: Job, changed: Callable[[], Any]) -> None:
    """Name, status, times, error if any, and buttons.

    ``changed`` is called when a button has changed the job's state.
    """
    with ui.row().classes("items-center gap-2 w-full"):
        heading(job.name)
        status_badge(job)
        ui.space()
        _buttons(site, job, changed)
    told = f"{'Data set' if job.kind == DATASET else 'Training'}, made {when(job.created)}"
    if job.started is not None:
        told += f", {'runs for' if job.status == RUN else 'ran for'} {duration(elapsed(job))}"
    ui.label(told).classes("quiet")
    if job.error:
        with ui.row().classes("mistake w-full"):
            ui.label(job.error).classes("told")
    for needed in job.needs:
        other = site.store.get(needed)
        ui.link(
            f"{'data set' if other.kind == DATASET else 'weights of'}: {other.name}",
            f"/{'datasets' if other.kind == DATASET else 'jobs'}/{other.id}",
        )
    if job.group and job.kind == TRAINING:
        ui.link(f"group: {job.group}", f"/compare?{urlencode({'group': job.group})}")


def notes_field(site: Site, job: Job) -> None:
    """The user's notes on a job, stored when the field is left."""
    notes = ui.textarea("Notes", value=job.notes).props("outlined dense autogrow").classes("w-full")
    notes.on(
        "blur",
        lambda event: site.store.update(job.id, notes=str(event.args)[:20_000]),
        js_handler="event => emit(event.target.value)",
    )


def _buttons(site: Site, job: Job, changed: Callable[[], Any]) -> None:
    if job.status in (WAIT, RUN):
        action("Stop", "stop", lambda: _do(site.queue.abort, job, changed), "outline")
    if job.status in (ABORT, ERROR):
        action("Resume", "play_arrow", lambda: _do(site.resume, job, changed), "outline")
        if job.kind == TRAINING:
            action("On another device", "memory", lambda: _move(site, job, changed))
    action("Rename" if job.kind == DATASET else "Name, group", "edit", lambda: _rename(site, job))
    if job.kind == TRAINING:
        if job.status in ENDED and run_of(site.workspace, job).info.exists():
            action("Train longer", "update", lambda: _prolong(site, job, changed))
        action("Clone", "content_copy", lambda: ui.navigate.to(f"/models/new?clone={job.id}"))
        if job.status in ENDED and run_of(site.workspace, job).iterations():
            action("Download", "download", lambda: ui.download(f"/api/jobs/{job.id}/archive"))
    action("Delete", "delete", lambda: _delete(site, job), "flat color=negative")


async def _do(call: Callable[[Job], Job], job: Job, changed: Callable[[], Any]) -> None:
    with notify_errors():
        call(job)
        found = changed()
        if isawaitable(found):
            await found


async def _rename(site: Site, job: Job) -> None:
    with ui.dialog() as dialog, ui.card():
        name = ui.input("Name", value=job.name).props("outlined dense autofocus")
        group = ui.input("Group (empty for none)", value=job.group).props("outlined dense")
        group.set_visibility(job.kind == TRAINING)
        ui.button("Save", on_click=lambda: dialog.submit(True))
    if await dialog and (name.value or "").strip():
        given = ChangeForm(name=name.value.strip()[:200], group=(group.value or "").strip()[:200])
        site.store.update(job.id, **given.model_dump(exclude_none=True))
        ui.navigate.reload()


async def _move(site: Site, job: Job, changed: Callable[[], Any]) -> None:
    """Resume a training on another device."""
    with ui.dialog() as dialog, ui.card():
        device = _device(job)
        ui.button("Resume there", on_click=lambda: dialog.submit(device.value))
    chosen = await dialog
    if chosen is not None:
        with notify_errors():
            asked = ResumeForm(device=chosen or None).device
            await _do(lambda each: site.resume(each, asked), job, changed)


def _device(job: Job) -> ui.input:
    """The field of a training's device."""
    made = ui.input("Device (cpu, cuda:0, ...)", value=str(job.settings.get("device", "cpu")))
    return made.props("outlined dense")


async def _prolong(site: Site, job: Job, changed: Callable[[], Any]) -> None:
    before = float(job.settings.get("form", {}).get("epochs", 30.0))
    with ui.dialog() as dialog, ui.card():
        epochs = NumberField("Total epochs", value=2 * before, min=0).props("outlined dense")
        told = "The learning rate continues as in a training of this length."
        ui.label(told).classes("quiet")
        device = _device(job)
        ui.button("Train longer", on_click=lambda: dialog.submit(True))
    if await dialog:
        with notify_errors():
            given = {"epochs": epochs.value, "device": device.value or None}
            form = LengthForm.model_validate(given)
            await _do(lambda each: site.prolong(each, form.epochs, form.device), job, changed)


async def _delete(site: Site, job: Job) -> None:
    if await confirmed(f"Delete '{job.name}' and its files?", "Delete"):
        with notify_errors():
            site.delete(job)
            ui.navigate.to("/datasets" if job.kind == DATASET else "/jobs")

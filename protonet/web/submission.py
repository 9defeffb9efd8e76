"""Submission of forms: each data set or training becomes a task in a job's folder."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace
from pathlib import Path
from typing import BinaryIO

from protonet.errors import NetworkError, UsageError
from protonet.formats.atomic import write_atomic
from protonet.jobs.definitions.solver import DEFAULT_POLICY, check_settings
from protonet.jobs.run.bounds import MEANS, STEPPED, mean_values
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.run.sweep import MOST, sweep
from protonet.jobs.tasks.trainings import TrainNetwork
from protonet.web.datasets import Databases
from protonet.web.networks import CheckOptions
from protonet.web.progress import run_of
from protonet.web.site import Site
from protonet.web.store import DATASET, DONE, TRAINING, Job
from protonet.web.training_form import CheckForm, TrainingForm
from protonet.web.weights import into_job, weights_of

NETWORK = "net.prototxt"
DATA = Path("data")
"""The folder of a data set in the job's folder."""
Uploaded = tuple[str, BinaryIO]
"""A file's name from the browser, and its bytes."""


async def train(site: Site, form: TrainingForm) -> list[Job]:
    """Submit the trainings of a form, one for each learning rate and batch size.

    Raises:
        NetworkError: with all mistakes of the network.
        UsageError: for a data set or weights that do not exist.
    """
    dataset, weights = await asyncio.to_thread(_needed, site, form)
    databases = site.databases(dataset)
    plans = sweep(form.rates, form.batch_sizes)
    if len(plans) > MOST:
        raise UsageError(f"{len(plans)} trainings at once; at most {MOST}")
    sizes = {}
    for _, _, size in plans[: len(form.batch_sizes) or 1]:
        looked = await site.checks.inspect_network(
            form.network, site.workspace, databases, check_options(site, form, weights, size)
        )
        if looked.mistakes:
            raise NetworkError(looked.mistakes)
        if looked.weights_error:
            raise UsageError(looked.weights_error)
        sizes[size] = (looked.images, looked.batch_size)
        if looked.boxes:
            databases = databases.with_boxes() or databases
    needs = (dataset.id, *([form.weights_of] if form.weights_of else []))
    planned = [
        (f"{form.name} {told}".strip(), _settings(site, form, rate, size, databases, weights))
        for told, rate, size in plans
    ]
    for _, settings in planned:
        check_settings(settings, form.network, *sizes[settings.batch_size])
    group = (form.name if len(planned) > 1 else "") if form.group is None else form.group
    return await asyncio.to_thread(
        lambda: [_training(site, form, name, settings, needs, group) for name, settings in planned]
    )


def check_options(
    site: Site, form: TrainingForm | CheckForm, weights: Path | None, batch_size: int | None
) -> CheckOptions:
    """The settings of a form on which a check of its network depends."""
    return CheckOptions(
        batch_size=batch_size,
        crop=form.crop,
        weights=() if weights is None else (weights,),
        allow_mismatch=form.allow_mismatch,
        mean=mean_of(site, form.mean),
    )


def _needed(site: Site, form: TrainingForm) -> tuple[Job, Path | None]:
    """The data set, and the file of initial weights."""
    dataset = site.get(form.dataset, DATASET)
    if dataset.status != DONE:
        raise UsageError(f"the data set '{dataset.name}' is not ready: {dataset.status}")
    return dataset, weights_of(site, form)


def _settings(
    site: Site,
    form: TrainingForm,
    rate: float,
    size: int | None,
    databases: Databases,
    weights: Path | None,
) -> RunSettings:
    """The settings of one of the trainings.

    Raises:
        UsageError: for contradictory values.
    """
    names = {each.name for each in fields(RunSettings)} & TrainingForm.model_fields.keys()
    values = {name: getattr(form, name) for name in names}
    if form.threads is None:
        del values["threads"]
    stepped = (form.lr_policy or DEFAULT_POLICY) in STEPPED
    values.update(
        lr=rate,
        batch_size=size,
        steps=tuple(form.steps) if stepped else (),
        mean=mean_of(site, form.mean),
        known_mean=databases.mean,
        labels=databases.train_labels,
        val_data=databases.val_images,
        val_labels=databases.val_labels,
        label_map=databases.label_map,
        name_sizes=databases.sizes,
        weights="" if weights is None else str(weights),
        python_layers=False,
    )
    return RunSettings(databases.train_images, **values)


def mean_of(site: Site, mean: str | None) -> str | None:
    """The mean of a form; a file as one that the server may read."""
    if mean is None or mean in MEANS or mean_values(mean) is not None:
        return mean
    path = site.workspace.inside(mean)
    if not path.is_file():
        raise UsageError(f"mean: {mean}: no such file; expected image, pixel, none or numbers")
    return str(path)


def _training(
    site: Site,
    form: TrainingForm,
    name: str,
    settings: RunSettings,
    needs: tuple[str, ...],
    group: str,
) -> Job:
    """Submit one of the trainings: its folder and its task."""
    sizes = [] if settings.batch_size is None else [settings.batch_size]
    told = {**form.model_dump(), "name": name, "group": group, "lr": settings.lr, "lrs": [],
            "batch_sizes": sizes}  # fmt: skip
    job = site.add(
        TRAINING, name, needs=needs, notes=form.notes, group=group,
        settings={"form": told, "device": form.device},
    )  # fmt: skip
    write_atomic(site.folder(job) / NETWORK, form.network.encode())
    run = run_of(site.workspace, job).path
    if settings.weights:
        own = into_job(site, job, Path(settings.weights))
        settings = replace(settings, weights=str(own))
        if own.is_relative_to(site.folder(job)):  # a clone takes them from here
            told["weights"] = str(own.relative_to(site.workspace.folder))
            site.store.update(job.id, settings={**job.settings, "form": told})
    return site.begin(job, TrainNetwork(Path(NETWORK), replace(settings, out=run)))

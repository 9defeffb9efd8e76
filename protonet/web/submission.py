"""Submission of forms: each data set or training becomes a task in a job's folder."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from protonet.errors import NetworkError, UsageError
from protonet.formats.atomic import write_atomic
from protonet.jobs.inference.trained_run import choose_snapshot
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.tasks.trainings import TrainNetwork
from protonet.web.datasets import Databases
from protonet.web.forms import (
    TrainingForm,
    sweep,
)
from protonet.web.progress import run_of
from protonet.web.site import Site
from protonet.web.store import DATASET, DONE, TRAINING, Job

NETWORK = "net.prototxt"
DATA = Path("data")
"""The folder of a data set in the job's folder."""
_ROWS_A_FILE = 10
"""Rows of a table per file of an upload: an image may be in several."""

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
    plans = sweep(form)
    if len(plans) > 100:
        raise UsageError(f"{len(plans)} trainings at once; at most 100")
    for _, _, size in plans[: len(form.batch_sizes) or 1]:
        looked = await site.checks.inspect_network(
            form.network, site.workspace, databases, batch_size=size
        )
        if looked.mistakes:
            raise NetworkError(looked.mistakes)
    needs = (dataset.id, *([form.weights_of] if form.weights_of else []))
    planned = [
        (name, _settings(form, rate, size, databases, weights)) for name, rate, size in plans
    ]
    return await asyncio.to_thread(
        lambda: [_training(site, form, name, settings, needs) for name, settings in planned]
    )


def _needed(site: Site, form: TrainingForm) -> tuple[Job, Path | None]:
    """The data set, and the file of initial weights."""
    dataset = site.get(form.dataset, DATASET)
    if dataset.status != DONE:
        raise UsageError(f"the data set '{dataset.name}' is not ready: {dataset.status}")
    if not form.weights_of:
        return dataset, None
    run = run_of(site.workspace, site.get(form.weights_of, TRAINING))
    return dataset, run.snapshots().best_model(choose_snapshot(run, form.weights_at))


# long: a line for each setting
def _settings(
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
    mean = form.mean if form.mean == "none" else databases.mean
    stepped = form.lr_policy in ("step", "multistep", "sigmoid")
    return RunSettings(
        databases.train_images,
        labels=databases.train_labels,
        val_data=databases.val_images,
        val_labels=databases.val_labels,
        mean=None if mean is None else str(mean),
        weights="" if weights is None else str(weights),
        python_layers=False,
        lr=rate,
        batch_size=size,
        steps=tuple(form.steps) if stepped else (),
        epochs=form.epochs,
        lr_policy=form.lr_policy,
        gamma=form.gamma,
        power=form.power,
        warmup=form.warmup,
        min_lr=form.min_lr,
        solver=form.solver,
        momentum=form.momentum,
        weight_decay=form.weight_decay,
        accumulation=form.accumulation,
        snapshot_every=form.snapshot_every,
        val_every=form.val_every,
        early_stop=form.early_stop,
        average=form.average,
        seed=form.seed,
        shuffle=form.shuffle,
        device=form.device,
        precision=form.precision,
        allow_mismatch=form.allow_mismatch,
    )


def _training(
    site: Site, form: TrainingForm, name: str, settings: RunSettings, needs: tuple[str, ...]
) -> Job:
    """Submit one of the trainings: its folder and its task."""
    sizes = [] if settings.batch_size is None else [settings.batch_size]
    told = {**form.model_dump(), "name": name, "lr": settings.lr, "lrs": [], "batch_sizes": sizes}
    job = site.add(
        TRAINING, name, needs=needs, notes=form.notes,
        settings={"form": told, "device": form.device},
    )  # fmt: skip
    write_atomic(site.folder(job) / NETWORK, form.network.encode())
    run = run_of(site.workspace, job).path
    return site.begin(job, TrainNetwork(Path(NETWORK), replace(settings, out=run)))

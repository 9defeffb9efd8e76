"""Initial weights of trainings: uploaded, files on the server, or snapshots of other trainings."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from pathlib import Path
from typing import BinaryIO

from protonet.errors import UsageError
from protonet.jobs.inference.trained_run import choose_snapshot
from protonet.web.progress import run_of
from protonet.web.site import Site
from protonet.web.store import TRAINING, Job
from protonet.web.training_form import WeightsForm
from protonet.web.uploads import safe_name, store
from protonet.web.workspace import Workspace

KINDS = (".caffemodel", ".h5", ".npz", ".safetensors", ".t7")
"""The endings of files of weights."""

_FOLDER = "weights"
"""Of the workspace: a folder for each upload; of a job: its own weights."""
_KEPT = 24 * 3600.0
"""Seconds until an upload is removed; trainings that use it have it in their folders."""


def store_weights(workspace: Workspace, name: str, stream: BinaryIO) -> str:
    """Store an uploaded file of weights; its path in the workspace, for a ``WeightsForm``.

    Uploads of more than a day ago are removed.

    Raises:
        UsageError: for another kind of file, an empty one, or one that is larger than allowed.
    """
    file = Path(safe_name(name).name)
    if file.suffix.lower() not in KINDS:
        raise UsageError(f"{file}: is no file of weights; expected one of {', '.join(KINDS)}")
    remove_old(workspace)
    path = workspace.folder / _FOLDER / secrets.token_hex(8) / file
    path.parent.mkdir(parents=True)
    try:
        store(stream, path)
        size, most = path.stat().st_size, workspace.limits.upload
        if not size:
            raise UsageError(f"{file}: is empty")
        if size > most:
            raise UsageError(f"{file}: has {size:,} bytes, more than the {most:,} allowed")
    except BaseException:
        shutil.rmtree(path.parent, ignore_errors=True)
        raise
    return str(path.relative_to(workspace.folder))


def remove_old(workspace: Workspace) -> None:
    """Remove uploads of more than a day ago."""
    for folder in (workspace.folder / _FOLDER).glob("*"):
        if time.time() - folder.stat().st_mtime > _KEPT:
            shutil.rmtree(folder, ignore_errors=True)


def weights_of(site: Site, form: WeightsForm) -> Path | None:
    """The file of weights that a form names; None for none.

    Raises:
        UsageError: for a file or a snapshot that does not exist, or both.
    """
    if form.weights and form.weights_of:
        raise UsageError("weights and weights_of both give weights; use one of them")
    if form.weights:
        path = site.workspace.inside(form.weights)
        if not path.is_file():
            raise UsageError(f"{form.weights}: no such file of weights")
        return path
    if not form.weights_of:
        return None
    run = run_of(site.workspace, site.get(form.weights_of, TRAINING))
    return run.snapshots().best_model(choose_snapshot(run, form.weights_at))


def into_job(site: Site, job: Job, weights: Path) -> Path:
    """The weights of a job: an upload is linked into the job's folder, others stay."""
    if not weights.is_relative_to(site.workspace.folder / _FOLDER):
        return weights
    own = site.folder(job) / _FOLDER / weights.name
    own.parent.mkdir(exist_ok=True)
    try:
        os.link(weights, own)
    except OSError:  # another file system
        shutil.copyfile(weights, own)
    return own

"""The routes for prediction: on an image, uploaded or on the server, and on many."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, UploadFile

from protonet.errors import UsageError
from protonet.jobs.run.directory import RunDirectory
from protonet.web import forms
from protonet.web.progress import run_of
from protonet.web.results import image as predictions
from protonet.web.site import Site
from protonet.web.store import TRAINING, Job
from protonet.web.uploads import check_image, safe_name
from protonet.web.views import plain


def add_prediction_routes(routes: APIRouter, site: Site) -> None:
    """Add the routes for prediction."""

    @routes.post("/{job_id}/test")
    def test_image(
        job_id: str,
        image: Annotated[UploadFile | None, File()] = None,
        path: Annotated[str | None, Form(max_length=4000)] = None,
        snapshot: Annotated[str, Form(pattern=r"^(best|last|\d{1,12})$")] = "last",
    ) -> dict[str, Any]:
        """Predict on an image, uploaded or on the server: what ``infer --json`` prints, with the
        activations and weights of every layer.
        """
        job = site.get(job_id, TRAINING)
        with asked_image(site, image, path) as file:
            found = plain(predictions.predict_image(started_run(site, job), file, snapshot))
            shown = image.filename if image is not None else path
            return {**found, **found.pop("answer"), "image": shown or ""}

    @routes.post("/{job_id}/test-many")
    def test_many(job_id: str, form: forms.ListForm) -> dict[str, Any]:
        """Predict on a database, a folder, or a list of files."""
        return dict(plain(predict_many(site, site.get(job_id, TRAINING), form)))


def predict_many(site: Site, job: Job, form: forms.ListForm) -> predictions.Predictions:
    """Predict on a database, a folder, or a list of files.

    Raises:
        UsageError, DataError: for files that are absent, not allowed, or unusable.
    """
    run, path = started_run(site, job), site.workspace.inside(form.path)
    if not path.exists():
        raise UsageError(f"{form.path}: no such file or folder")
    if (path / "data.mdb").exists() or (path / "CURRENT").exists():
        labels = site.workspace.inside(form.labels) if form.labels else None
        return predictions.predict_database(run, path, labels, form.snapshot, form.most)

    def allow(file: Path) -> None:
        site.workspace.inside(str(file.absolute()))

    return predictions.predict_list(run, path, form.snapshot, form.most, allow)


def started_run(site: Site, job: Job) -> RunDirectory:
    """The run directory of a training.

    Raises:
        UsageError: for one that has not started.
    """
    run = run_of(site.workspace, job)
    if not run.info.exists():
        raise UsageError(f"'{job.name}' has not begun yet")
    return run


@contextmanager
def asked_image(site: Site, image: UploadFile | None, path: str | None) -> Iterator[Path]:
    """The uploaded or named image of a request, checked before it is decoded."""
    if (image is None) == (path is None):
        raise UsageError("expected an image or the path of one")
    if path is not None:
        file = site.workspace.inside(path)
        if not file.is_file():
            raise UsageError(f"{path}: no such file")
        check_image(file, site.workspace.limits.pixels, path)
        yield file
        return
    assert image is not None
    name = safe_name(image.filename or "image").name
    with tempfile.TemporaryDirectory(dir=site.workspace.folder, prefix=".test-") as folder:
        file = Path(folder) / name
        file.write_bytes(image.file.read())
        check_image(file, site.workspace.limits.pixels, name)
        yield file

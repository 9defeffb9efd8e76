"""The routes for detectors: the objects in an image, and figures over a data set."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, UploadFile
from pydantic import Field

from protonet.errors import UsageError
from protonet.jobs.detection.detector import THRESHOLD, as_json
from protonet.web import forms
from protonet.web.results.detection import DetectedImages, detect_database, detect_image
from protonet.web.results.routes import asked_image, started_run
from protonet.web.site import Site
from protonet.web.store import TRAINING, Job
from protonet.web.views import plain

Score = Annotated[float, Field(ge=0, le=1)]


class DetectForm(forms.ListForm):
    """A database of images with boxes; shares and mistakes are of boxes with a score of
    ``threshold`` or more.
    """

    threshold: Score = THRESHOLD


def add_detection_routes(routes: APIRouter, site: Site) -> None:
    """Add the routes for detectors."""

    @routes.post("/{job_id}/detect")
    def detect(
        job_id: str,
        image: Annotated[UploadFile | None, File()] = None,
        path: Annotated[str | None, Form(max_length=4000)] = None,
        snapshot: Annotated[str, Form(pattern=r"^(best|last|\d{1,12})$")] = "last",
        threshold: Annotated[float, Form(ge=0, le=1)] = THRESHOLD,
    ) -> dict[str, Any]:
        """The objects in an image, uploaded or on the server: what ``infer --json`` prints, with
        the image as data URL.
        """
        job = site.get(job_id, TRAINING)
        with asked_image(site, image, path) as file:
            answer = detect_image(started_run(site, job), file, snapshot)
            found = plain(answer)
            shown = image.filename if image is not None else path
            boxes = [as_json(each) for each in answer.detections if each.score >= threshold]
            return {"image": shown or "", "outputs": {}, **found, "detections": boxes}

    @routes.post("/{job_id}/detect-many")
    def detect_all(job_id: str, form: DetectForm) -> dict[str, Any]:
        """Average precision, curves and the worst images of a detector over a database."""
        return dict(plain(detect_many(site, site.get(job_id, TRAINING), form)))


def detect_many(site: Site, job: Job, form: DetectForm) -> DetectedImages:
    """Compare predictions with the boxes of a database.

    Raises:
        UsageError, DataError: for a database that is absent, not allowed, or unusable.
    """
    run = started_run(site, job)
    if form.labels:
        raise UsageError("images with boxes have their labels in their records; omit labels")
    path = site.workspace.inside(form.path)
    if not path.exists():
        raise UsageError(f"{form.path}: no such file or folder")
    return detect_database(run, path, form.snapshot, form.most, form.threshold)

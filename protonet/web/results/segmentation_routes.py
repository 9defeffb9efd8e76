"""The routes for the classes of pixels: of an image, and of a data set."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, UploadFile

from protonet.errors import UsageError
from protonet.web import forms
from protonet.web.results.routes import asked_image, started_run
from protonet.web.results.segmentation import SegmentedImages, segment_database, segment_image
from protonet.web.site import Site
from protonet.web.store import TRAINING, Job
from protonet.web.views import plain


def add_segmentation_routes(routes: APIRouter, site: Site) -> None:
    """Add the routes for segmentation."""

    @routes.post("/{job_id}/segment")
    def segment(
        job_id: str,
        image: Annotated[UploadFile | None, File()] = None,
        path: Annotated[str | None, Form(max_length=4000)] = None,
        snapshot: Annotated[str, Form(pattern=r"^(best|last|\d{1,12})$")] = "last",
    ) -> dict[str, Any]:
        """The classes of the pixels of an image, uploaded or on the server: what ``infer --json``
        prints, with the map of classes and the image as data URLs.
        """
        job = site.get(job_id, TRAINING)
        with asked_image(site, image, path) as file:
            found = plain(segment_image(started_run(site, job), file, snapshot))
            shown = image.filename if image is not None else path
            return {"image": shown or "", "outputs": {}, **found}

    @routes.post("/{job_id}/segment-many")
    def segment_all(job_id: str, form: forms.ListForm) -> dict[str, Any]:
        """Figures of a segmentation over paired databases of images and classes of pixels."""
        return dict(plain(segment_many(site, site.get(job_id, TRAINING), form)))


def segment_many(site: Site, job: Job, form: forms.ListForm) -> SegmentedImages:
    """Compare predictions with the classes of paired databases.

    Raises:
        UsageError, DataError: for databases that are absent, not allowed, or unusable.
    """
    run = started_run(site, job)
    if not form.labels:
        raise UsageError("expected a database of images, and that of the classes of their pixels")
    images, labels = (site.workspace.inside(name) for name in (form.path, form.labels))
    for name, path in ((form.path, images), (form.labels, labels)):
        if not path.exists():
            raise UsageError(f"{name}: no such file or folder")
    return segment_database(run, images, labels, form.snapshot, form.most)

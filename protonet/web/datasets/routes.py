"""The routes of the API for data sets."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, File, Form, Query, UploadFile
from fastapi.responses import Response
from pydantic import ValidationError

from protonet.errors import UsageError
from protonet.web.datasets import creation, explore, forms
from protonet.web.datasets.augmented import AugmentForm
from protonet.web.datasets.databases import Databases
from protonet.web.datasets.samples import Shown, mean_picture, samples_of
from protonet.web.forms import form_errors
from protonet.web.job_lists import add_list_route
from protonet.web.site import Site
from protonet.web.store import DATASET, DONE
from protonet.web.views import job_view, json_response, plain

F = TypeVar("F", bound=forms.NamedForm)


def make_dataset_routes(site: Site) -> APIRouter:
    """The routes below ``/api/datasets``."""
    routes = APIRouter()

    add_list_route(routes, site, DATASET)

    _add_creation_routes(routes, site)

    @routes.get("/{job_id}")
    def look_at_dataset(job_id: str) -> dict[str, Any]:
        """A data set: counts, shapes, pairing, histograms of labels, and all problems."""
        job = site.get(job_id, DATASET)
        report = plain(site.reports.of(site.databases(job))) if job.status == DONE else None
        return {**job_view(site, job), "report": report}

    _add_exploring_routes(routes, site)
    return routes


# long: a line for each parameter of the routes
def _add_exploring_routes(routes: APIRouter, site: Site) -> None:
    """The routes that look through a data set."""

    @routes.get("/{job_id}/samples", response_model=list[dict[str, Any]])
    def list_samples(
        job_id: str,
        part: Annotated[str, Query(pattern="^(train|val)$")] = "train",
        offset: Annotated[int, Query(ge=0, le=10**12)] = 0,
        count: Annotated[int, Query(ge=1, le=200)] = 24,
        number: Annotated[int | None, Query(ge=0, lt=2**31, alias="class")] = None,
        key: Annotated[str, Query(max_length=500)] = "",
        side: Annotated[int | None, Query(ge=16, le=4096)] = None,
        opacity: Annotated[float, Query(ge=0, le=1)] = 0.5,
    ) -> Response:
        """Images with their labels: those that hold a class, whose keys contain a text.

        ``side`` bounds the size of the pictures; ``opacity`` is that of the classes of pixels.
        The header X-Total-Count has the number of all. 429 while the index for a class or text is
        made.
        """
        databases = _ready(site, job_id)
        query = explore.Query(part, number, key, offset, count)
        found = explore.find(site.indexes, site.index_folder(job_id), databases, query)
        keys = explore.found_keys(found)
        response = json_response(samples_of(databases, part, keys, Shown(side, opacity)))
        response.headers["X-Total-Count"] = str(found.total)
        return response

    @routes.post("/{job_id}/augmented", response_model=list[dict[str, Any]])
    async def show_augmented(job_id: str, form: AugmentForm) -> Response:
        """Images as a network's data layer for training crops, mirrors and distorts them.

        Boxes follow; mean and scale are left out.
        """
        databases = await asyncio.to_thread(_ready, site, job_id)
        return json_response(await site.checks.augment(form, site.workspace, databases))

    @routes.get("/{job_id}/classes")
    def list_classes(job_id: str) -> list[dict[str, Any]]:
        """The classes of each part: images that hold them, boxes or pixels of them.

        ``classes`` is null while the index is made; ``indexing`` tells how far it is.
        """
        databases = _ready(site, job_id)
        return list(plain(explore.shares(site.indexes, site.index_folder(job_id), databases)))

    @routes.get("/{job_id}/mean.png", response_class=Response)
    def show_mean(job_id: str) -> Response:
        """The mean image."""
        job = site.get(job_id, DATASET)
        return Response(mean_picture(site.databases(job)), media_type="image/png")


def _ready(site: Site, job_id: str) -> Databases:
    """The files of a data set that is complete."""
    job = site.get(job_id, DATASET)
    if job.status != DONE:
        raise UsageError(f"the data set '{job.name}' is not ready: {job.status}")
    return site.databases(job)


def _add_creation_routes(routes: APIRouter, site: Site) -> None:
    """The routes that create a data set."""

    @routes.post("/gradients", status_code=201)
    def make_gradients(form: forms.GradientsForm) -> dict[str, Any]:
        """Make the seed example's data set."""
        return job_view(site, creation.make_gradients(site, form))

    @routes.post("/databases", status_code=201)
    def name_databases(form: forms.DatabasesForm) -> dict[str, Any]:
        """Use existing databases; nothing is copied."""
        return job_view(site, creation.name_databases(site, form))

    @routes.post("/folders", status_code=201)
    def make_folders(form: forms.FoldersForm) -> dict[str, Any]:
        """Make databases from a folder with a folder of images per class."""
        return job_view(site, creation.make_folders(site, form))

    @routes.post("/shapes", status_code=201)
    def make_shapes(form: forms.ShapesForm) -> dict[str, Any]:
        """Draw circles, squares and triangles with their boxes, for detection."""
        return job_view(site, creation.make_shapes(site, form))

    @routes.post("/segments", status_code=201)
    def make_segments(form: forms.SegmentsForm) -> dict[str, Any]:
        """Draw circles, squares and triangles with the class of each pixel, for segmentation."""
        return job_view(site, creation.make_segments(site, form))

    @routes.post("/detection", status_code=201)
    def make_detection(form: forms.DetectionForm) -> dict[str, Any]:
        """Make databases of images with boxes, from KITTI, VOC, COCO or CSV on the server."""
        return job_view(site, creation.make_detection(site, form))

    @routes.post("/segmentation", status_code=201)
    def make_segmentation(form: forms.SegmentationForm) -> dict[str, Any]:
        """Make databases of images with label pictures that are on the server."""
        return job_view(site, creation.make_segmentation(site, form))

    _add_upload_routes(routes, site)


def _add_upload_routes(routes: APIRouter, site: Site) -> None:
    """The routes that create a data set from uploads."""

    @routes.post("/lists", status_code=201)
    def make_lists(
        form: Annotated[str, Form(description="A ListsForm as JSON.")],
        train: Annotated[UploadFile, File(description="Lines: image file, class number.")],
        val: Annotated[UploadFile | None, File(description="The same for validation.")] = None,
        names: Annotated[UploadFile | None, File(description="Class names, a line each.")] = None,
    ) -> dict[str, Any]:
        """Make databases of images on the server that uploaded lists name."""
        given = _parsed(forms.ListsForm, form)
        files = {"train": train, "val": val, "names": names}
        streams = {part: each.file for part, each in files.items() if each is not None}
        return job_view(site, creation.make_lists(site, given, streams))

    @routes.post("/vectors", status_code=201)
    def make_vectors(
        form: Annotated[str, Form(description="A VectorsForm as JSON.")],
        table: Annotated[UploadFile, File(description="CSV: image file, numbers.")],
        images: Annotated[list[UploadFile], File(description="The images that it names.")],
    ) -> dict[str, Any]:
        """Make paired databases from an uploaded table and its images."""
        given = _parsed(forms.VectorsForm, form)
        uploads = ((each.filename or "", each.file) for each in images)
        return job_view(site, creation.make_vectors(site, given, table.file, uploads))


def _parsed(form: type[F], text: str) -> F:
    try:
        return form.model_validate_json(text)
    except ValidationError as error:
        raise UsageError(form_errors(error.errors())) from None

"""The routes for prediction: on an image, uploaded or on the server, and on many."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Query, UploadFile
from fastapi.responses import Response

from protonet.errors import UsageError
from protonet.jobs.detection.detector import THRESHOLD, as_json
from protonet.jobs.run.directory import RunDirectory
from protonet.web import forms
from protonet.web.progress import run_of
from protonet.web.results.detection import detect_image
from protonet.web.results.image import predict_image
from protonet.web.results.listing import image_page, kind_of, page_json, summary
from protonet.web.results.segmentation import segment_image
from protonet.web.results.tests import state_view
from protonet.web.site import Site
from protonet.web.store import TRAINING, Job
from protonet.web.uploads import check_image, safe_name
from protonet.web.views import plain

_Upload = Annotated[UploadFile | None, File()]
_Path = Annotated[str | None, Form(max_length=4000)]
_Snapshot = Annotated[str, Form(pattern=r"^(best|last|\d{1,12})$")]


def add_prediction_routes(routes: APIRouter, site: Site) -> None:
    """Add the routes for prediction."""

    @routes.post("/{job_id}/test")
    def test_image(
        job_id: str, image: _Upload = None, path: _Path = None, snapshot: _Snapshot = "last"
    ) -> dict[str, Any]:
        """Predict on an image, uploaded or on the server: what ``infer --json`` prints, with the
        activations and weights of every layer.
        """
        job = site.get(job_id, TRAINING)
        with asked_image(site, image, path) as file:
            found = plain(predict_image(started_run(site, job), file, snapshot))
            return {**found, **found.pop("answer"), "image": _name_of(image, path)}

    _add_found_routes(routes, site)
    _add_test_routes(routes, site)


def _add_found_routes(routes: APIRouter, site: Site) -> None:
    """The routes for what is found in an image: objects, and the classes of its pixels."""

    @routes.post("/{job_id}/detect")
    def detect(
        job_id: str,
        image: _Upload = None,
        path: _Path = None,
        snapshot: _Snapshot = "last",
        threshold: Annotated[float, Form(ge=0, le=1)] = THRESHOLD,
    ) -> dict[str, Any]:
        """The objects in an image, uploaded or on the server: what ``infer --json`` prints, with
        the image as data URL.
        """
        job = site.get(job_id, TRAINING)
        with asked_image(site, image, path) as file:
            found = detect_image(started_run(site, job), file, snapshot)
            boxes = [as_json(each) for each in found.detections if each.score >= threshold]
            told = {"image": _name_of(image, path), "outputs": {}}
            return {**told, **plain(found), "detections": boxes}

    @routes.post("/{job_id}/segment")
    def segment(
        job_id: str, image: _Upload = None, path: _Path = None, snapshot: _Snapshot = "last"
    ) -> dict[str, Any]:
        """The classes of the pixels of an image, uploaded or on the server: what ``infer --json``
        prints, with the map of classes and the image as data URLs.
        """
        job = site.get(job_id, TRAINING)
        with asked_image(site, image, path) as file:
            found = plain(segment_image(started_run(site, job), file, snapshot))
            return {"image": _name_of(image, path), "outputs": {}, **found}


def _add_test_routes(routes: APIRouter, site: Site) -> None:
    """The routes of tests on many images."""

    @routes.post("/{job_id}/tests", status_code=202)
    def begin_test(job_id: str, form: forms.TestForm) -> dict[str, Any]:
        """Begin a test on many images; the same test is found again."""
        return state_view(site.tests.start(site.get(job_id, TRAINING), form))

    @routes.get("/{job_id}/tests")
    def list_tests(job_id: str) -> list[dict[str, Any]]:
        """How the tests of a training are, the newest first."""
        return [state_view(each) for each in site.tests.all(site.get(job_id, TRAINING))]

    @routes.delete("/{job_id}/tests/{key}", status_code=204)
    def remove_test(job_id: str, key: str) -> Response:
        """Stop a test if it runs, and remove its files."""
        site.tests.remove(site.get(job_id, TRAINING), key)
        return Response(status_code=204)

    @routes.get("/{job_id}/tests/{key}")
    def show_test(
        job_id: str, key: str, query: Annotated[forms.SummaryQuery, Query()]
    ) -> dict[str, Any]:
        """How a test is, and when it is done what it predicted and its figures."""
        job = site.get(job_id, TRAINING)
        state = state_view(site.tests.state(job, key))
        if state["status"] != "done":
            return {**state, "kind": None, "summary": None}
        found = site.tests.open(job, key)
        return {**state, "kind": kind_of(found), "summary": plain(summary(found, query.threshold))}

    @routes.get("/{job_id}/tests/{key}/images")
    def list_images(
        job_id: str, key: str, query: Annotated[forms.ImagesQuery, Query()]
    ) -> dict[str, Any]:
        """Images of a test that is done, with pictures, truths and predictions."""
        found = site.tests.open(site.get(job_id, TRAINING), key)
        return page_json(found, image_page(found, query))


def started_run(site: Site, job: Job) -> RunDirectory:
    """The run directory of a training.

    Raises:
        UsageError: for one that has not started.
    """
    run = run_of(site.workspace, job)
    if not run.info.exists():
        raise UsageError(f"'{job.name}' has not begun yet")
    return run


def _name_of(image: UploadFile | None, path: str | None) -> str:
    """How the image of a request is called in its answer."""
    return (image.filename if image is not None else path) or ""


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

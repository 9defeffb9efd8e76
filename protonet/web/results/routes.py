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
from protonet.jobs.run.directory import RunDirectory
from protonet.web import forms
from protonet.web.progress import run_of
from protonet.web.results.image import predict_image
from protonet.web.results.listing import image_page, page_json, summary
from protonet.web.results.tests import state_view
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
            found = plain(predict_image(started_run(site, job), file, snapshot))
            shown = image.filename if image is not None else path
            return {**found, **found.pop("answer"), "image": shown or ""}

    _add_test_routes(routes, site)


def _add_test_routes(routes: APIRouter, site: Site) -> None:
    """The routes of tests on many images."""

    @routes.post("/{job_id}/tests", status_code=202)
    def begin_test(job_id: str, form: forms.TestForm) -> dict[str, Any]:
        """Begin a test on a database, a folder, or a list; the same test is found again."""
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
    def show_test(job_id: str, key: str) -> dict[str, Any]:
        """How a test is, and when it is done its figures."""
        job = site.get(job_id, TRAINING)
        state = site.tests.state(job, key)
        done = state.status == "done"
        found = plain(summary(site.tests.open(job, key))) if done else None
        return {**state_view(state), "summary": found}

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

"""The routes of a training's run: curves, log, settings and files."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import FileResponse, Response

from protonet.jobs.comparison.table import settings_of
from protonet.web.curves import DRAWN, Axis, CurveOptions, curves_of
from protonet.web.process import OUTPUT
from protonet.web.progress import log_of, run_of
from protonet.web.results.routes import started_run
from protonet.web.run_files import file_of, files_of, search
from protonet.web.site import Site
from protonet.web.store import TRAINING
from protonet.web.views import json_response, plain


def _options(
    most: Annotated[int, Query(ge=2, le=20_000)] = DRAWN,
    x: Axis = "iteration",
    smoothing: Annotated[float, Query(ge=0, lt=1)] = 0.0,
) -> CurveOptions:
    return CurveOptions(most, x, smoothing)


Wanted = Annotated[CurveOptions, Depends(_options)]


def add_run_routes(routes: APIRouter, site: Site) -> None:
    """The routes."""

    @routes.get("/{job_id}/curves", response_model=dict[str, Any])
    def curves(job_id: str, wanted: Wanted) -> Response:
        """Losses, learning rate, outputs, speed (images per second) and memory (bytes) over the
        iterations, epochs or seconds of training, thinned; ``smoothing`` adds exponential means,
        with this weight of the past.
        """
        job = site.get(job_id, TRAINING)
        return json_response(curves_of(site.workspace, job, wanted))

    @routes.get("/{job_id}/log")
    def log(job_id: str, lines: Annotated[int, Query(ge=1, le=5000)] = 200) -> dict[str, str]:
        """The last lines of the job's log."""
        return {"log": log_of(site.workspace, site.get(job_id), lines)}

    @routes.get("/{job_id}/log/lines")
    def log_lines(
        job_id: str,
        text: Annotated[str, Query(min_length=1, max_length=200)],
        lines: Annotated[int, Query(ge=1, le=5000)] = 200,
    ) -> dict[str, Any]:
        """The last lines of the job's log that contain a text, in any case, with their numbers;
        ``total`` is the number of all of them.
        """
        job = site.get(job_id)
        return dict(plain(search(site.folder(job) / OUTPUT, text, lines)))

    _add_file_routes(routes, site)


def _add_file_routes(routes: APIRouter, site: Site) -> None:
    """The settings and the files of a run."""

    @routes.get("/{job_id}/settings")
    def settings(job_id: str) -> dict[str, Any]:
        """All settings of a training that has begun."""
        return settings_of(started_run(site, site.get(job_id, TRAINING)))

    @routes.get("/{job_id}/files")
    def files(job_id: str) -> list[dict[str, Any]]:
        """The files of a training with their sizes."""
        job = site.get(job_id, TRAINING)
        return list(plain(files_of(run_of(site.workspace, job).path)))

    @routes.get("/{job_id}/files/{name}", response_class=FileResponse)
    def download_file(job_id: str, name: str) -> FileResponse:
        """A file of a training."""
        job = site.get(job_id, TRAINING)
        path = file_of(run_of(site.workspace, job).path, name)
        return FileResponse(path, filename=path.name, media_type="application/octet-stream")

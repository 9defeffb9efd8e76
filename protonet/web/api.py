"""The JSON API with all functions of the page. ``/docs`` documents it in the browser."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, HTTPException, Query, Request, UploadFile
from fastapi.responses import JSONResponse, Response, StreamingResponse

from protonet import resources
from protonet.jobs.checks.network_report import report_json
from protonet.web import forms, submission
from protonet.web.archive import archive
from protonet.web.changes import Changes
from protonet.web.comparison_routes import add_comparison_routes
from protonet.web.datasets.routes import make_dataset_routes
from protonet.web.job_lists import add_bulk_routes, add_list_route
from protonet.web.learning_rate import policy_curve
from protonet.web.parameters import refuse_unknown
from protonet.web.results.routes import add_prediction_routes, started_run
from protonet.web.run_routes import add_run_routes
from protonet.web.site import Site
from protonet.web.store import DATASET, TRAINING
from protonet.web.training_form import (
    CheckForm,
    CurveForm,
    DrawForm,
    LengthForm,
    ResumeForm,
    TrainingForm,
)
from protonet.web.views import job_view, job_views, plain
from protonet.web.weights import KINDS, store_weights, weights_of

_TICK = 0.5
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
Snapshot = Annotated[str, Query(pattern=r"^(best|last|\d{1,12})$")]


def make_api(site: Site) -> APIRouter:
    """The routes below ``/api``."""
    api = APIRouter(prefix="/api", dependencies=[Depends(refuse_unknown)])
    api.include_router(make_dataset_routes(site), prefix="/datasets", tags=["data sets"])
    api.include_router(_models(site), prefix="/models", tags=["models"])
    api.include_router(_jobs(site), prefix="/jobs", tags=["jobs"])

    @api.api_route("/{rest:path}", methods=_METHODS, include_in_schema=False)
    def nothing(rest: str) -> None:
        """404 for all other paths, for which the page would return HTML."""
        raise HTTPException(404, f"there is nothing at /api/{rest[:80]}")

    return api


def _models(site: Site) -> APIRouter:
    routes = APIRouter()

    add_list_route(routes, site, TRAINING)

    @routes.post("", status_code=201)
    async def train(form: TrainingForm) -> list[dict[str, Any]]:
        """Train a network; several learning rates or batch sizes make a job each."""
        return [job_view(site, job) for job in await submission.train(site, form)]

    @routes.post("/weights", status_code=201)
    def upload_weights(
        weights: Annotated[UploadFile, File(description=f"One of {', '.join(KINDS)}.")],
    ) -> dict[str, str]:
        """Upload initial weights: the path is the field ``weights`` of a training or a check.

        It is kept for a day; a training has its own copy.
        """
        return {"weights": store_weights(site.workspace, weights.filename or "", weights.file)}

    @routes.get("/standard")
    def list_standard() -> dict[str, str]:
        """Standard networks: their definitions by name."""
        return resources.example_networks()

    _add_inspection_routes(routes, site)
    return routes


def _add_inspection_routes(routes: APIRouter, site: Site) -> None:
    """The routes that check the values of a form before training."""

    @routes.post("/check")
    async def check(form: CheckForm) -> dict[str, Any]:
        """All mistakes of a network, or its layers; with a data set, with their shapes."""
        databases = None
        if form.dataset:
            databases = site.databases(site.get(form.dataset, DATASET))
        weights = await asyncio.to_thread(weights_of, site, form)
        options = submission.check_options(site, form, weights, form.batch_size)
        looked = await site.checks.inspect_network(form.network, site.workspace, databases, options)
        return report_json(looked)

    @routes.post("/draw", response_class=Response)
    async def drawing(form: DrawForm) -> Response:
        """A drawing of a network as SVG; layers that are not deployed have dashed lines."""
        drawn = await site.checks.draw(form.network, site.workspace)
        return Response(drawn, media_type="image/svg+xml")

    @routes.post("/policy")
    def policy(form: CurveForm) -> dict[str, Any]:
        """The learning rate over a training: by iterations, or by epochs without ``images``."""
        return dict(plain(policy_curve(form)))


def _jobs(site: Site) -> APIRouter:
    routes = APIRouter()

    add_list_route(routes, site, None)
    add_bulk_routes(routes, site)
    add_comparison_routes(routes, site)

    @routes.get("/events", response_class=StreamingResponse)
    async def events(request: Request, known: bool = False) -> StreamingResponse:
        """Server-sent events: all jobs at first, then each job whose state has changed, and the
        ids of removed ones. With ``known``, only the changes.
        """
        stream = _events(site, request, known=known)
        return StreamingResponse(stream, media_type="text/event-stream")

    @routes.get("/{job_id}")
    def show(job_id: str) -> dict[str, Any]:
        """A job and its progress."""
        return job_view(site, site.get(job_id))

    _add_update_routes(routes, site)
    _add_result_routes(routes, site)
    add_run_routes(routes, site)
    add_prediction_routes(routes, site)
    return routes


def _add_update_routes(routes: APIRouter, site: Site) -> None:
    """The routes that change a job or its state."""

    @routes.patch("/{job_id}")
    def change(job_id: str, form: forms.ChangeForm) -> dict[str, Any]:
        """Rename a job, or write notes."""
        job = site.get(job_id)
        values = form.model_dump(exclude_none=True)
        return job_view(site, site.store.update(job.id, **values) if values else job)

    @routes.delete("/{job_id}", status_code=204, response_class=Response)
    def delete(job_id: str) -> Response:
        """Remove a job and its files; refused while other jobs need it."""
        site.delete(site.get(job_id))
        return Response(status_code=204)

    @routes.post("/{job_id}/stop")
    def stop(job_id: str) -> dict[str, Any]:
        """Stop a job; a training takes a snapshot first."""
        return job_view(site, site.queue.abort(site.get(job_id)))

    @routes.post("/{job_id}/resume")
    def resume(job_id: str, form: ResumeForm | None = None) -> dict[str, Any]:
        """Queue a stopped or failed job again to resume; a training on another device, too."""
        device = None if form is None else form.device
        kind = None if device is None else TRAINING
        return job_view(site, site.resume(site.get(job_id, kind), device))

    @routes.post("/{job_id}/prolong")
    def prolong(job_id: str, form: LengthForm) -> dict[str, Any]:
        """Queue an ended training again with another length."""
        job = site.get(job_id, TRAINING)
        return job_view(site, site.prolong(job, form.epochs, form.device))

    @routes.post("/{job_id}/clone", status_code=201)
    async def clone(job_id: str) -> list[dict[str, Any]]:
        """Train the same network with the same settings again."""
        job = site.get(job_id, TRAINING)
        form = TrainingForm(**{**job.settings["form"], "name": f"{job.name} (clone)"[:200]})
        return [job_view(site, each) for each in await submission.train(site, form)]


def _add_result_routes(routes: APIRouter, site: Site) -> None:
    """The routes of a job's results."""

    @routes.get("/{job_id}/archive", response_class=StreamingResponse)
    def download(job_id: str, snapshots: bool = False) -> StreamingResponse:
        """The training as a zip file, with its newest and best snapshot, or with all."""
        job = site.get(job_id, TRAINING)
        stream = archive(started_run(site, job), job.id, all_snapshots=snapshots)
        named = f'attachment; filename="{job.id}.zip"'
        return StreamingResponse(
            stream, media_type="application/zip", headers={"Content-Disposition": named}
        )


async def _events(site: Site, request: Request, *, known: bool = False) -> AsyncIterator[str]:
    changes = Changes.from_now(site) if known else Changes(site)
    if not known:
        for part in changes.all():
            for job in await asyncio.to_thread(job_views, site, part):
                yield f"event: job\ndata: {json.dumps(job)}\n\n"
    while not await request.is_disconnected():
        changed, removed = await asyncio.to_thread(changes.look)
        for job in await asyncio.to_thread(job_views, site, changed):
            yield f"event: job\ndata: {json.dumps(job)}\n\n"
        for job_id in removed:
            yield f"event: removed\ndata: {json.dumps(job_id)}\n\n"
        if not (changed or removed):
            yield ": alive\n\n"
        await asyncio.sleep(_TICK)


def error_response(status: int, message: str, mistakes: list[Any] | None = None) -> JSONResponse:
    """The JSON response of an error."""
    return JSONResponse({"error": message, "mistakes": mistakes or []}, status)

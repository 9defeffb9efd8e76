"""Views of jobs, data sets and predictions as JSON values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

import orjson
from fastapi.responses import Response

from protonet.web.data_url import data_url
from protonet.web.datasets.making import making_of
from protonet.web.progress import elapsed, progress_of
from protonet.web.site import Site
from protonet.web.store import DATASET, TRAINING, Job

JSON = "application/json"


def plain(value: Any) -> Any:
    """Dataclasses as dictionaries, images as data URLs, NaN as null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(each) for each in value]
    if isinstance(value, bytes):
        return data_url(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Path):
        return str(value)
    return value


def json_text(value: Any) -> bytes:
    """A value as ``plain`` gives it, as JSON: long lists of numbers take no time."""
    options = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
    return orjson.dumps(value, default=plain, option=options)


def json_response(value: Any) -> Response:
    """A value as ``json_text`` gives it, as a response."""
    return Response(json_text(value), media_type=JSON)


def job_view(site: Site, job: Job) -> dict[str, Any]:
    """A job and its progress, which for a data set is None unless it is being made."""
    return job_views(site, [job])[0]


def job_views(site: Site, jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """Several jobs, as ``job_view`` shows one."""
    users = site.store.users_of([job.id for job in jobs])
    return [_job_view(site, job, users[job.id]) for job in jobs]


def _job_view(site: Site, job: Job, users: list[str]) -> dict[str, Any]:
    told = {
        "id": job.id,
        "kind": job.kind,
        "name": job.name,
        "notes": job.notes,
        "group": job.group,
        "status": job.status,
        "error": job.error,
        "created": job.created,
        "started": job.started,
        "ended": job.ended,
        "seconds": elapsed(job),
        "needs": list(job.needs),
        "used_by": users,
        "form": job.settings.get("form", {}),
    }
    if job.kind == DATASET:
        told["progress"] = plain(making_of(site.workspace, job))
    if job.kind == TRAINING:
        told["progress"] = plain(asdict(progress_of(site.workspace, job)))
    return told

"""Jobs, data sets and answers as the API tells them: plain values that JSON has."""

from __future__ import annotations

import base64
import math
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

from protonet.errors import Mistake
from protonet.web.networks import Looked
from protonet.web.progress import elapsed, progress_of
from protonet.web.site import Site
from protonet.web.store import TRAINING, Job


def plain(value: Any) -> Any:
    """Data classes as dictionaries, bytes of pictures as data URLs, not-a-number as null."""
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


def data_url(png: bytes) -> str:
    """A picture as text that an ``img`` takes."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def job_view(site: Site, job: Job) -> dict[str, Any]:
    """A job and, of a training, where it stands."""
    told = {
        "id": job.id,
        "kind": job.kind,
        "name": job.name,
        "notes": job.notes,
        "status": job.status,
        "error": job.error,
        "created": job.created,
        "started": job.started,
        "ended": job.ended,
        "seconds": elapsed(job),
        "needs": list(job.needs),
        "used_by": [each.id for each in site.store.users(job.id)],
        "form": job.settings.get("form", {}),
    }
    if job.kind == TRAINING:
        told["progress"] = plain(asdict(progress_of(site.workspace, job)))
    return told


def looked_view(looked: Looked) -> dict[str, Any]:
    """What a network is; ``only_trains`` are layers that the deployed net has not.

    ``ignored`` are the fields given that have no effect here.
    """
    return {
        "mistakes": [mistake_view(each) for each in looked.mistakes],
        "name": looked.name,
        "layers": [
            {
                "name": row.name,
                "type": row.type,
                "bottoms": [{"name": name, "shape": list(shape)} for name, shape in row.bottoms],
                "tops": [{"name": name, "shape": list(shape)} for name, shape in row.tops],
                "parameters": row.parameters,
                "only_trains": bool(looked.deployed) and row.name not in looked.deployed,
            }
            for row in looked.rows
        ],
        "parameters": looked.parameters,
        "training_bytes": looked.training_bytes,
        "inference_bytes": looked.inference_bytes,
        "ignored": list(looked.ignored),
        "images": looked.images,
        "batch_size": looked.batch_size,
    }


def mistake_view(mistake: Mistake) -> dict[str, Any]:
    """A mistake with its place; line and column are 0 where it has none."""
    return {
        "line": mistake.line,
        "column": mistake.column,
        "message": mistake.message,
        "hint": mistake.hint,
        "text": mistake.window[0],
    }

"""The routes of lists of jobs: pages, filters, orders, and actions on many."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response

from protonet.web.bulk import act
from protonet.web.forms import BulkForm
from protonet.web.job_query import JobQuery, Sort
from protonet.web.recent import Recent
from protonet.web.site import Site
from protonet.web.views import JSON, job_views, json_text, plain

Status = Literal["wait", "run", "done", "abort", "error"]
Text = Annotated[str, Query(max_length=200)]
Moment = Annotated[datetime | None, Query(description="A date, a date and time, or seconds.")]


def _query(
    status: Annotated[list[Status], Query(default_factory=list, description="May be repeated.")],
    name: Text = "",
    group: Annotated[str | None, Query(max_length=200)] = None,
    dataset: Text = "",
    since: Moment = None,
    before: Moment = None,
    sort: Sort = "created",
    order: Literal["ascending", "descending"] = "descending",
) -> JobQuery:
    """The filter and the order of a request."""
    return JobQuery(
        status=tuple(status),
        name=name,
        group=group,
        dataset=dataset,
        since=None if since is None else since.timestamp(),
        before=None if before is None else before.timestamp(),
        sort=sort,
        descending=order == "descending",
    )


_KEPT = 4
"""Lists that are kept: those of ten thousand jobs have five megabytes."""
_PAUSE = 1.0
"""Seconds for which the progress in a list is good."""
Wanted = Annotated[JobQuery, Depends(_query)]


def add_list_route(routes: APIRouter, site: Site, kind: str | None) -> None:
    """The list of the jobs of a kind, or of all."""
    lists: Recent[tuple[bytes, int]] = Recent(_KEPT)

    @routes.get("", response_model=list[dict[str, Any]])
    def list_jobs(
        wanted: Wanted,
        offset: Annotated[int, Query(ge=0)] = 0,
        count: Annotated[int | None, Query(ge=1, le=1000)] = None,
    ) -> Response:
        """Those that match, ``count`` from ``offset`` on (all without it), by default the newest
        first. The header ``X-Total-Count`` has the number of all that match.
        """
        query = replace(wanted, kind=kind)
        stamp = (site.store.revision(), int(time.monotonic() / _PAUSE))

        def read() -> tuple[bytes, int]:
            page = site.store.page(query, offset, count)
            return json_text(job_views(site, page.jobs)), page.total

        body, total = lists.of((query, offset, count), stamp, read)
        headers = {"X-Total-Count": str(total)}
        return Response(body, media_type=JSON, headers=headers)


def add_bulk_routes(routes: APIRouter, site: Site) -> None:
    """Actions on many jobs, and the groups."""

    @routes.post("/bulk")
    def bulk(form: BulkForm) -> dict[str, Any]:
        """Stop, delete or group jobs: the ids of those it was done on (``done``), and why others
        were refused (``refused``, by id).
        """
        return dict(plain(act(site, form)))

    @routes.get("/groups")
    def groups() -> dict[str, int]:
        """The number of jobs in each group."""
        return site.store.groups()

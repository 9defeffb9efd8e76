"""The routes of comparisons: curves, and the table of settings and best values."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from protonet.jobs.comparison.table import to_csv
from protonet.web.comparison import Compared, chosen_trainings, compare
from protonet.web.curves import curves_of
from protonet.web.run_routes import Wanted
from protonet.web.site import Site
from protonet.web.store import TRAINING
from protonet.web.views import json_response

Ids = Annotated[str, Query(max_length=20_000, description="Comma-separated ids.")]
Group = Annotated[str, Query(max_length=200)]
Column = Annotated[str | None, Query(max_length=200)]


def add_comparison_routes(routes: APIRouter, site: Site) -> None:
    """The routes of several trainings."""

    def compared(jobs: str, group: str, sort: str | None) -> Compared:
        found = compare(site, *chosen_trainings(site, jobs, group))
        return found if sort is None else found.sorted_by(sort)

    @routes.get("/compare", response_model=dict[str, Any])
    def curves(jobs: Annotated[str, Query(max_length=2000)], wanted: Wanted) -> Response:
        """The curves of several trainings; ``jobs`` are comma-separated ids."""
        found = [site.get(job_id, TRAINING) for job_id in jobs.split(",") if job_id][:50]
        return json_response(
            {
                job.id: {"name": job.name, **vars(curves_of(site.workspace, job, wanted))}
                for job in found
            }
        )

    @routes.get("/table")
    def table(jobs: Ids = "", group: Group = "", sort: Column = None) -> dict[str, Any]:
        """The settings in which trainings differ, and the best value of each output with its
        iteration, of some trainings or of a group; sorted by a column, the best first.
        """
        return compared(jobs, group, sort).view()

    @routes.get("/table.csv", response_class=Response)
    def table_csv(jobs: Ids = "", group: Group = "", sort: Column = None) -> Response:
        """The same as a CSV file."""
        text = to_csv(compared(jobs, group, sort).table)
        named = {"Content-Disposition": 'attachment; filename="trainings.csv"'}
        return Response(text, media_type="text/csv", headers=named)

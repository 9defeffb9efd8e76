"""The page of all jobs: trainings and data sets."""

from __future__ import annotations

from protonet.web.job_query import JobQuery
from protonet.web.page.frame import frame, heading, page, panel
from protonet.web.page.jobs.job_list import JobList
from protonet.web.page.parts import STATUS
from protonet.web.site import Site
from protonet.web.store import DATASET, TRAINING


def add(site: Site) -> None:
    """Add the page."""

    @page("/jobs")
    def list_page(
        name: str = "", group: str | None = None, dataset: str = "", status: str = ""
    ) -> None:
        """A filter of the trainings may be in the address."""
        states = tuple(each for each in status.split(",") if each in STATUS)
        with frame("Jobs", "Jobs"):
            heading(
                "Jobs", "One training per device and one data set at a time; others are queued."
            )
            with panel("Trainings"):
                JobList(site, JobQuery(TRAINING, states, name, group, dataset))
            with panel("Data sets"):
                JobList(site, JobQuery(DATASET))

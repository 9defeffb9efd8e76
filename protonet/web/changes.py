"""The jobs that have changed since a client looked last, without reading all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from protonet.web.job_query import JobQuery
from protonet.web.progress import run_of
from protonet.web.recent import Stamp, file_stamp
from protonet.web.site import Site
from protonet.web.store import RUN, Job

_AT_ONCE = 200
"""Jobs of the first look that are read together."""


@dataclass
class Changes:
    """The changes for one client. A job that runs changes with its metrics as well."""

    site: Site
    revision: int = 0
    _running: dict[str, Stamp] = field(default_factory=dict)

    @staticmethod
    def from_now(site: Site) -> Changes:
        """Only what changes from now on."""
        made = Changes(site, site.store.revision())
        made._measured()
        return made

    def all(self) -> Iterator[list[Job]]:
        """All jobs, the newest first, in parts; then ``look`` gives what has changed meanwhile."""
        self.revision = self.site.store.revision()
        self._measured()
        ids = self.site.store.ids(JobQuery())
        for start in range(0, len(ids), _AT_ONCE):
            yield self.site.store.some(ids[start : start + _AT_ONCE])

    def look(self) -> tuple[list[Job], list[str]]:
        """The jobs that have changed, and the ids of those that were removed."""
        changed: list[Job] = []
        removed: list[str] = []
        if self.site.store.revision() != self.revision:
            found = self.site.store.changed(self.revision)
            self.revision, changed, removed = found.revision, found.jobs, found.removed
        known = {job.id for job in changed}
        return changed + [job for job in self._measured() if job.id not in known], removed

    def _measured(self) -> list[Job]:
        """The running jobs whose metrics have changed."""
        before, self._running = self._running, {}
        found = []
        for job in self.site.store.all(status=[RUN]):
            stamp = (file_stamp(run_of(self.site.workspace, job).metrics),)
            self._running[job.id] = stamp
            if before.get(job.id) != stamp:
                found.append(job)
        return found

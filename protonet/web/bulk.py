"""Actions on many jobs at once: each that is refused is told, the others go on."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from protonet.errors import ProtonetError
from protonet.web.forms import BulkForm
from protonet.web.site import Site
from protonet.web.store import ENDED, RUN, Job


@dataclass
class Outcome:
    """The ids of the jobs that an action was done on, and by id why others were refused."""

    done: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def act(site: Site, form: BulkForm) -> Outcome:
    """Do the action of a form on its jobs."""
    match form.action:
        case "stop":
            return stop(site, form.jobs)
        case "delete":
            return delete(site, form.jobs)
        case "group":
            return put_into(site, form.group, form.jobs)


def stop(site: Site, job_ids: Sequence[str]) -> Outcome:
    """Stop jobs that run or wait, the last in the queue first, so that no other starts instead."""
    outcome = Outcome()
    jobs = sorted(_known(site, job_ids, outcome), key=lambda job: (job.status == RUN, -job.place))
    for job in jobs:
        if job.status in ENDED:
            outcome.refused[job.id] = f"'{job.name}' has ended"
        else:
            site.queue.abort(job)
            outcome.done.append(job.id)
    return outcome


def delete(site: Site, job_ids: Sequence[str]) -> Outcome:
    """Remove jobs and their files; users of a job before it, so that both can be given."""
    outcome = Outcome()
    with site.store.together():
        jobs = sorted(_known(site, job_ids, outcome), key=lambda job: job.created, reverse=True)
        for job in jobs:
            try:
                site.remove(job)
            except ProtonetError as error:
                outcome.refused[job.id] = str(error)
            else:
                outcome.done.append(job.id)
    for job_id in outcome.done:
        shutil.rmtree(site.workspace.job(job_id), ignore_errors=True)
    return outcome


def put_into(site: Site, group: str, job_ids: Sequence[str]) -> Outcome:
    """Put jobs into a group, or out of theirs if it is empty."""
    outcome = Outcome()
    outcome.done = [job.id for job in _known(site, job_ids, outcome)]
    site.store.put_into(group.strip(), outcome.done)
    return outcome


def _known(site: Site, job_ids: Iterable[str], outcome: Outcome) -> list[Job]:
    """The jobs that exist; the others are refused."""
    wanted = list(dict.fromkeys(job_ids))
    found = site.store.some(wanted)
    known = {job.id for job in found}
    outcome.refused |= {
        each: f"there is no job '{each[:80]}'" for each in wanted if each not in known
    }
    return found

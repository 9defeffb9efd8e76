"""Many jobs are stopped, deleted and grouped at once; what is refused is told."""

from __future__ import annotations

from pathlib import Path

from protonet.jobs.tasks.datasets import MakeGradients
from protonet.web.bulk import act
from protonet.web.forms import BulkForm
from protonet.web.site import Site
from protonet.web.store import ABORT, DATASET, DONE, RUN, TRAINING


def test_deleting_together(site: Site) -> None:
    """A data set and its trainings go together; one that others need stays, with all told."""
    data, kept = site.add(DATASET, "data"), site.add(DATASET, "kept")
    nets = [site.add(TRAINING, f"net {n}", needs=(data.id,)) for n in range(3)]
    users = [site.add(TRAINING, f"user {n}", needs=(kept.id,)) for n in range(7)]
    running = site.store.update(site.add(TRAINING, "busy").id, status=RUN)
    wanted = [data.id, kept.id, "nowhere", running.id, *(job.id for job in nets)]
    outcome = act(site, BulkForm(action="delete", jobs=wanted))
    assert set(outcome.done) == {data.id, *(job.id for job in nets)}
    assert outcome.refused == {
        "nowhere": "there is no job 'nowhere'",
        running.id: "'busy' is running; stop it first",
        kept.id: "other jobs need it: 'user 0', 'user 1', 'user 2', 'user 3', 'user 4' and 2 more; "
        "delete these first",
    }
    left = {kept.id, running.id, *(job.id for job in users)}
    assert {job.id for job in site.store.all()} == left
    assert {path.name for path in (site.workspace.folder / "jobs").iterdir()} == left


def test_stopping(site: Site) -> None:
    task = MakeGradients(folder=Path("data"))
    waiting = [site.begin(site.add(DATASET, str(n)), task) for n in range(3)]
    ended = site.store.update(site.add(TRAINING, "t").id, status=DONE)
    outcome = act(site, BulkForm(action="stop", jobs=[ended.id, *(job.id for job in waiting)]))
    assert outcome.done == [job.id for job in waiting[::-1]]  # the last in the queue first
    assert outcome.refused == {ended.id: "'t' has ended"}
    assert {site.store.get(job.id).status for job in waiting} == {ABORT}


def test_grouping(site: Site) -> None:
    jobs = [site.add(TRAINING, str(n)) for n in range(3)]
    form = BulkForm(action="group", jobs=[job.id for job in jobs[:2]], group=" best ")
    assert act(site, form).done == [job.id for job in jobs[:2]]
    assert [site.store.get(job.id).group for job in jobs] == ["best", "best", ""]
    act(site, BulkForm(action="group", jobs=[jobs[0].id]))
    assert site.store.groups() == {"best": 1}

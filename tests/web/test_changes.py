"""Clients are told once of what changes, and of what is removed."""

from __future__ import annotations

from protonet.web.changes import Changes
from protonet.web.progress import run_of
from protonet.web.site import Site
from protonet.web.store import RUN, TRAINING


def test_changes_are_told_once(site: Site) -> None:
    changes = Changes.from_now(site)
    assert changes.look() == ([], [])
    job, other = site.add(TRAINING, "t"), site.add(TRAINING, "other")
    assert [each.id for each in changes.look()[0]] == [job.id, other.id]
    assert changes.look() == ([], [])
    site.store.update(job.id, name="u")
    assert [each.name for each in changes.look()[0]] == ["u"]
    site.delete(other)
    assert changes.look() == ([], [other.id])
    assert changes.look() == ([], [])


def test_a_running_job_changes_with_its_metrics(site: Site) -> None:
    job = site.add(TRAINING, "t")
    job = site.store.update(job.id, status=RUN)
    run_of(site.workspace, job).path.mkdir()
    changes = Changes.from_now(site)
    assert changes.look() == ([], [])
    run_of(site.workspace, job).metrics.write_text("{}\n")
    assert [each.id for each in changes.look()[0]] == [job.id]
    assert changes.look() == ([], [])


def test_all_of_them_first(site: Site) -> None:
    jobs = [site.store.add(TRAINING, str(number)).id for number in range(450)]
    changes = Changes(site)
    parts = [[job.id for job in part] for part in changes.all()]
    assert [len(part) for part in parts] == [200, 200, 50]
    assert [job for part in parts for job in part] == jobs[::-1]
    assert changes.look() == ([], [])

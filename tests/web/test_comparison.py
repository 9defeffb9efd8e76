"""Trainings side by side, also those that have not begun or are damaged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from protonet.errors import UsageError
from protonet.jobs.run.record import RunRecord
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.tasks.trainings import TrainNetwork
from protonet.web.comparison import chosen_trainings, compare
from protonet.web.progress import run_of
from protonet.web.site import Site
from protonet.web.store import DATASET, TRAINING, Job
from tests.web.test_progress import line


def trained(site: Site, name: str, lr: float, *losses: float, group: str = "") -> Job:
    job = site.add(TRAINING, name, group=group)
    run = run_of(site.workspace, job)
    run.path.mkdir()
    run.write(RunRecord(settings=RunSettings(Path("/d"), lr=lr, out=run.path), prefix="snapshot"))
    run.metrics.write_text("".join(line(10 * n, loss) for n, loss in enumerate(losses)))
    return job


def test_the_table(site: Site) -> None:
    jobs = [trained(site, "a", 0.1, 3.0, 1.0, 2.0), trained(site, "b", 0.01, 3.0, 0.5)]
    waiting = site.add(TRAINING, "c")
    task = TrainNetwork(Path("net"), RunSettings(Path("/d"), lr=1.0, out=Path("/x")))
    jobs.append(site.begin(waiting, task))
    view = compare(site, jobs).view()
    assert view["settings"] == ["lr"]
    assert view["outputs"] == [{"name": "training loss", "better": "lowest"}]
    assert [(each["name"], each["settings"], each["best"]) for each in view["rows"]] == [
        ("a", {"lr": 0.1}, {"training loss": {"value": 1.0, "iteration": 10}}),
        ("b", {"lr": 0.01}, {"training loss": {"value": 0.5, "iteration": 10}}),
        ("c", {"lr": 1.0}, {}),
    ]
    found = compare(site, jobs).sorted_by("training loss")
    assert [job.name for job in found.jobs] == ["b", "a", "c"]
    with pytest.raises(UsageError, match="no column 'luck'; there are name, lr, training loss"):
        found.sorted_by("luck")


def test_rows_are_read_again_when_they_change(site: Site) -> None:
    job = trained(site, "a", 0.1, 3.0)
    assert compare(site, [job]).table.rows[0].best["training loss"].value == 3.0
    with run_of(site.workspace, job).metrics.open("a") as stream:
        stream.write(line(50, 0.25))
    assert compare(site, [job]).table.rows[0].best["training loss"].value == 0.25
    run_of(site.workspace, job).metrics.write_text("damaged\n")
    row = compare(site, [replace(job)]).table.rows[0]
    assert (row.name, row.best) == ("a", {})


def test_what_is_compared(site: Site) -> None:
    jobs = [trained(site, str(n), 0.1, group="g") for n in range(3)]
    data = site.add(DATASET, "data", group="g")
    assert chosen_trainings(site, "", "g") == (jobs, 3)
    assert chosen_trainings(site, f"{jobs[1].id},{jobs[0].id},", "") == ([jobs[1], jobs[0]], 2)
    assert chosen_trainings(site, "", "nobody") == ([], 0)
    for ids, why in (("", "give the ids"), (data.id, "is no training"), ("x", "there is no job")):
        with pytest.raises(UsageError, match=why):
            chosen_trainings(site, ids, "")

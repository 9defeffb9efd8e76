"""What may be done with jobs: resuming, deleting."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.errors import UsageError
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.tasks.datasets import MakeGradients
from protonet.jobs.tasks.task import read_task, write_task
from protonet.jobs.tasks.trainings import ResumeRun, TrainNetwork
from protonet.jobs.training.resume import ResumeOptions, resume
from protonet.web.progress import elapsed
from protonet.web.site import Site
from protonet.web.store import ABORT, DATASET, DONE, RUN, TRAINING, WAIT
from tests.web.trained import slopes

TASK = MakeGradients(folder=Path("data"))


def test_kinds(site: Site) -> None:
    data = site.add(DATASET, "d")
    assert site.get(data.id, DATASET).id == data.id
    with pytest.raises(UsageError, match="'d' is no training"):
        site.get(data.id, TRAINING)


def test_a_job_that_was_not_made_whole_never_runs(site: Site) -> None:
    job = site.add(DATASET, "d")
    site.queue.turn()
    assert site.store.get(job.id).status == "error"
    assert site.begin(job, TASK).status == WAIT


def test_going_on(site: Site) -> None:
    job = site.begin(site.add(TRAINING, "t"), TASK)
    with pytest.raises(UsageError, match="has not ended"):
        site.resume(job)
    job = site.store.update(job.id, status=ABORT)
    assert site.resume(job).task == write_task(TASK)
    run = site.folder(job) / "run"
    run.mkdir()
    (run / "run.json").write_text("{}")
    job = site.store.update(job.id, status=ABORT)
    assert read_task(site.resume(job).task, "") == ResumeRun(run)
    job = site.store.update(job.id, status=DONE)
    with pytest.raises(UsageError, match="nothing to resume"):
        site.resume(job)
    data = site.store.update(site.add(DATASET, "d").id, status=ABORT, task="x")
    assert site.resume(data).task == "x"


def test_another_device(site: Site) -> None:
    """Before a training has begun, and after; then it stays there."""
    job = site.add(TRAINING, "t", settings={"form": {"device": "cpu", "lr": 1.0}, "device": "cpu"})
    begun = TrainNetwork(Path("net"), RunSettings(Path("/d"), out=Path("/x")))
    job = site.store.update(site.begin(job, begun).id, status=ABORT)
    job = site.resume(job, "cuda:1")
    task = read_task(job.task, "")
    assert isinstance(task, TrainNetwork)
    assert task.settings.device == "cuda:1"
    assert job.settings == {"form": {"device": "cuda:1", "lr": 1.0}, "device": "cuda:1"}
    run = site.folder(job) / "run"
    run.mkdir()
    (run / "run.json").write_text("{}")
    for device, expected in ((None, "cuda:1"), ("cpu", "cpu"), (None, "cpu")):
        job = site.resume(site.store.update(job.id, status=ABORT), device)
        assert read_task(job.task, "") == ResumeRun(run, device=expected)


def test_prolonging(site: Site, gradients: Path) -> None:
    job = site.add(TRAINING, "t")
    with pytest.raises(UsageError, match="'t' has not started"):
        site.prolong(job, 9.0)
    run = slopes(gradients, site.folder(job) / "run")
    with pytest.raises(UsageError, match="trained for 3 epochs; give more epochs, not 3"):
        site.prolong(site.store.get(job.id), 3.0)
    done = site.store.update(job.id, status=DONE, started=5.0, ended=8.0)
    job = site.prolong(done, 4.5)
    assert (job.started, job.ended, elapsed(job)) == (None, None, 0.0)
    assert (job.status, job.settings["form"]) == (WAIT, {"epochs": 4.5})
    assert read_task(job.task, "") == ResumeRun(run.path, 4.5)
    with pytest.raises(UsageError, match="has not ended"):
        site.prolong(job, 9.0)
    # Stopped before the run has the length, it is still to be given.
    job = site.resume(site.store.update(job.id, status=ABORT))
    assert read_task(job.task, "") == ResumeRun(run.path, 4.5)
    resume(run.path, ResumeOptions(epochs=4.5))
    job = site.resume(site.store.update(job.id, status=ABORT))
    assert read_task(job.task, "") == ResumeRun(run.path)


def test_deleting(site: Site) -> None:
    job = site.add(TRAINING, "t")
    (site.folder(job) / "file").write_text("x")
    with pytest.raises(UsageError, match="is running; stop it first"):
        site.delete(site.store.update(job.id, status=RUN))
    site.delete(site.store.update(job.id, status=DONE))
    assert not site.folder(job).exists()


def test_waiting(site: Site) -> None:
    job = site.begin(site.add(TRAINING, "t"), TASK)
    assert site.wait(job.id, 0.05).status == WAIT

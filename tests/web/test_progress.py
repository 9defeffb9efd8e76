"""How a training stands, from its files; curves thinned so that they look the same."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.record import RunRecord
from protonet.jobs.run.settings import RunSettings
from protonet.web import curves, progress
from protonet.web.curves import curves_of
from protonet.web.process import OUTPUT
from protonet.web.progress import elapsed, log_of, progress_of, run_of, tail
from protonet.web.site import Site
from protonet.web.store import ABORT, DONE, RUN, TRAINING, Job


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Running trainings are looked at again at once."""
    monkeypatch.setattr(progress, "_PAUSE", 0.0)


def line(iteration: int, loss: float, **more: object) -> str:
    told = {"event": "iterated", "iteration": iteration, "epoch": iteration / 10, "loss": loss,
            "lr": 0.1, "outputs": {}, "seconds": 0.5, "iterations": 5, **more}  # fmt: skip
    return json.dumps(told) + "\n"


def training(site: Site, lines: str) -> Job:
    job = site.add(TRAINING, "t")
    run = RunDirectory(site.folder(job) / "run")
    run.path.mkdir()
    run.write(RunRecord(settings=RunSettings(run.path), prefix="snapshot"))
    run.solver.write_text('max_iter: 100\nlr_policy: "fixed"\n')
    run.metrics.write_text(lines)
    return site.store.update(job.id, status=RUN, started=time.time() - 3)


def test_progress(site: Site) -> None:
    tested = json.dumps({"event": "tested", "iteration": 10, "epoch": 1.0, "net": 0, "loss": 0.7,
                         "outputs": {"accuracy": 0.5, "loss": 0.7}}) + "\n"  # fmt: skip
    job = training(site, line(0, 2.0, iterations=0) + line(5, 1.5) + line(10, 1.0) + tested)
    found = progress_of(site.workspace, job)
    assert (found.iteration, found.iterations, found.loss, found.validation_loss) == (
        10, 100, 1.0, 0.7,
    )  # fmt: skip
    assert found.per_second == 10
    assert found.seconds_left == 9
    found = curves_of(site.workspace, job)
    assert found.loss == [(0, 2.0), (5, 1.5), (10, 1.0)]
    assert found.validation_loss == [(10, 0.7)]
    assert found.outputs == {"accuracy": [(10, 0.5)]}
    assert 2 < elapsed(job) < 60


def test_before_it_begins(site: Site) -> None:
    job = site.add(TRAINING, "t")
    assert progress_of(site.workspace, job).iterations == 0
    assert log_of(site.workspace, job) == ""
    assert elapsed(job) == 0
    assert run_of(site.workspace, job).path.name == "run"


def test_files_that_have_not_changed_are_not_read_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New lines, snapshots and states are seen; without them, nobody reads."""
    job = training(site, line(5, 1.5))
    assert progress_of(site.workspace, job).loss == 1.5
    assert curves_of(site.workspace, job).loss == [(5, 1.5)]
    with monkeypatch.context() as blind:
        blind.setattr(progress, "METRICS", None)
        blind.setattr(curves, "METRICS", None)
        assert progress_of(site.workspace, job).loss == 1.5
        assert curves_of(site.workspace, job).loss == [(5, 1.5)]
    run = run_of(site.workspace, job)
    with run.metrics.open("a") as stream:
        stream.write(line(10, 1.25))
    assert progress_of(site.workspace, job).iteration == 10
    assert curves_of(site.workspace, job).loss == [(5, 1.5), (10, 1.25)]
    for name in ("solverstate", "caffemodel"):
        (run.path / f"snapshot_iter_10.{name}").write_text("")
    assert progress_of(site.workspace, job).snapshots == (10,)
    assert progress_of(site.workspace, job).seconds_left is not None
    ended = site.store.update(job.id, status=DONE)
    assert progress_of(site.workspace, ended).seconds_left is None


def test_logs_are_cut_at_their_front(site: Site, tmp_path: Path) -> None:
    (tmp_path / OUTPUT).write_text("".join(f"line {n}\n" for n in range(20_000)))
    found = tail(tmp_path / OUTPUT, 3)
    assert found == "line 19997\nline 19998\nline 19999"
    assert tail(tmp_path / "nowhere") == ""


@pytest.mark.parametrize("text", ["", "max_iter\n", "base_lr: 1\n"])
def test_a_solver_without_an_end(site: Site, text: str) -> None:
    job = training(site, line(1, 1.0))
    run_of(site.workspace, job).solver.write_text(text)
    assert progress_of(site.workspace, job).seconds_left is None


def test_files_of_ended_trainings_are_looked_at_now_and_then(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In between, a list of many costs nothing; a new state is seen at once."""
    monkeypatch.setattr(progress, "_PAUSE", 0.4)
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    running = training(site, line(5, 1.5))
    job = site.store.update(running.id, status=DONE, ended=time.time())
    assert progress_of(site.workspace, job).loss == 1.5
    run_of(site.workspace, job).metrics.write_text(line(7, 1.25))
    with monkeypatch.context() as blind:
        blind.setattr(progress, "file_stamp", None)
        assert progress_of(site.workspace, job).loss == 1.5
    stopped = site.store.update(job.id, status=ABORT)
    assert progress_of(site.workspace, stopped).loss == 1.25
    run_of(site.workspace, job).metrics.write_text(line(8, 1.125))
    now[0] += 6
    assert progress_of(site.workspace, stopped).loss == 1.125

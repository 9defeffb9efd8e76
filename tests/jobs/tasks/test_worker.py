"""The worker in this process; tests/web/test_process.py runs it as the page does."""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from protonet.data.create import create_gradients
from protonet.data.database import Database
from protonet.errors import DataError
from protonet.jobs.definitions.solver import settled
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.tasks import worker
from protonet.jobs.tasks.datasets import MakeGradients
from protonet.jobs.tasks.progress_log import PROGRESS, read_progress
from protonet.jobs.tasks.segmentation_datasets import ConvertSegmentation
from protonet.jobs.tasks.task import Task, write_task
from protonet.jobs.tasks.trainings import ResumeRun, TrainNetwork
from protonet.jobs.tasks.worker import main
from protonet.web.process import launch, read_exit, send_signal
from tests.data import segmentation_sets as sets
from tests.jobs.nets import SEED
from tests.web.browser import wait_for


def work(folder: Path, task: Task) -> int:
    """Do a task as in a process of its own; the code that is left in its folder."""
    folder.mkdir(exist_ok=True)
    (folder / "task.json").write_text(write_task(task))
    code = main([str(folder), "0"])
    assert json.loads((folder / "exit.json").read_text()) == {"code": code}
    assert (folder / "lock").read_text() == str(os.getpid())
    return code


def test_a_data_set(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    task = MakeGradients(folder=tmp_path / "data", width=5, height=4, count=6)
    assert work(tmp_path / "job", task) == 0
    assert capfd.readouterr().out == "train: 6 images\nval: 1 images\n"
    with Database(tmp_path / "data" / "train_images") as images:
        assert len(images) == 6
    told = read_progress(tmp_path / "job" / PROGRESS)
    assert told is not None
    assert (told.done, told.total, told.what) == (1, 1, "images averaged")
    assert work(tmp_path / "job", task) == 2
    told = capfd.readouterr().err
    assert told.startswith("error: ")
    assert "exists" in told


def test_a_data_set_with_more_to_tell(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    sets.folders(tmp_path / "set")
    task = ConvertSegmentation(root=tmp_path / "set", folder=tmp_path / "data")
    assert work(tmp_path / "job", task) == 0
    assert capfd.readouterr().out == "train: 3 images\nval: 1 images\n"


def test_the_mean_is_a_stage_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stages: dict[str, list[tuple[int, int]]] = {}

    def told(_: Path, what: str) -> Any:
        return lambda done, total: stages.setdefault(what, []).append((done, total))

    monkeypatch.setattr(worker, "_watch", told)
    task = MakeGradients(folder=tmp_path / "data", width=5, height=4, count=3)
    assert work(tmp_path / "job", task) == 0
    assert stages == {
        "images": [(1, 4), (2, 4), (3, 4), (4, 4)],
        "images averaged": [(3, 3), (1, 1)],
    }


def test_a_training_and_its_prolonging(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    create_gradients(tmp_path / "data", 6, 5, 8, 4, seed=1)
    (tmp_path / "net.prototxt").write_text(SEED)
    data, run = tmp_path / "data", tmp_path / "run"
    settings = RunSettings(
        data / "train_images", labels=data / "train_labels", epochs=2.0, batch_size=4, out=run,
        python_layers=False,
    )  # fmt: skip
    assert work(tmp_path / "job", TrainNetwork(tmp_path / "net.prototxt", settings)) == 0
    told = capfd.readouterr().out
    assert "Iteration 0" in told
    assert "trained 4 iterations, loss " in told
    assert RunDirectory(run).record().settings == settled(settings, SEED).absolute()
    assert work(tmp_path / "job", ResumeRun(run)) == 2
    assert "this run is finished (4 iterations)" in capfd.readouterr().err
    assert work(tmp_path / "job", ResumeRun(run, 3.0)) == 0
    assert "note: resumed at iteration 4" in capfd.readouterr().out
    assert RunDirectory(run).iterations()[-1] == 6


def test_mistakes_of_a_network_are_told_one_by_one(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    create_gradients(tmp_path / "data", 6, 5, 8, 4, seed=1)
    net = tmp_path / "net.prototxt"
    net.write_text('layer { name: "a" type: "Powr" bottom: "data" top: "a" }\n' * 2)
    settings = RunSettings(tmp_path / "data" / "train_images", out=tmp_path / "run")
    assert work(tmp_path / "job", TrainNetwork(net, settings)) == 3
    lines = capfd.readouterr().err.splitlines()
    assert [line[:7] for line in lines if "unknown layer type 'Powr'" in line] == ["error: "] * 2
    assert lines[-1].endswith(" mistakes")


def test_a_file_that_is_no_task(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "task.json").write_text("{")
    assert main([str(tmp_path), "0"]) == 5
    assert f"error: {tmp_path / 'task.json'}: damaged" in capfd.readouterr().err
    (tmp_path / "task.json").unlink()
    assert main([str(tmp_path), "0"]) == 1
    assert "task.json: No such file" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (KeyboardInterrupt(), 130, "error: interrupted"),
        (DataError("damaged"), 4, "error: damaged"),
        (MemoryError(), 6, "error: out of memory"),
    ],
)
def test_how_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
    error: BaseException, code: int, told: str,
) -> None:  # fmt: skip
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(MakeGradients, "make", fail)
    assert work(tmp_path, MakeGradients(folder=tmp_path / "data")) == code
    assert capfd.readouterr().err.startswith(told)


def test_a_mistake_of_ours_is_no_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise TypeError("ours")

    monkeypatch.setattr(MakeGradients, "make", fail)
    with pytest.raises(TypeError, match="ours"):
        work(tmp_path, MakeGradients(folder=tmp_path / "data"))
    assert json.loads((tmp_path / "exit.json").read_text()) == {"code": 1}


def on_ranks(folder: Path, **settings: Any) -> TrainNetwork:
    """A task for two ranks, as the page gives it."""
    create_gradients(folder / "data", 6, 5, 8, 4, seed=1)
    (folder / "net.prototxt").write_text(SEED)
    data, run = folder / "data", folder / "run"
    given = RunSettings(
        data / "train_images", labels=data / "train_labels", batch_size=4, out=run, ranks=2,
        snapshot_every=0.0,
        python_layers=False, **settings,
    )  # fmt: skip
    return TrainNetwork(folder / "net.prototxt", given)


def test_two_ranks_stopped_and_gone_on_with(tmp_path: Path) -> None:
    """A stop reaches both; that resuming gives the bits of one go: tests/jobs/training."""
    folder, run = tmp_path / "job", tmp_path / "run"
    folder.mkdir()
    process = launch(folder, write_task(on_ranks(tmp_path, epochs=10.0**6)), 16 * 2**30)
    wait_for(lambda: (run / "metrics.jsonl").exists(), "an iteration")
    assert send_signal(folder, signal.SIGINT)
    assert process.wait(60) == 130
    assert read_exit(folder) == 130
    told = (folder / "output.log").read_text()
    assert told.count("] Iteration 0 (") == 1, told
    assert "error" not in told
    record = RunDirectory(run).record()
    assert (record.status, record.settings.ranks) == ("abort", 2)
    (at,) = RunDirectory(run).iterations()
    assert launch(folder, write_task(ResumeRun(run, at / 2 + 1)), 0).wait(60) == 0
    told = (folder / "output.log").read_text()
    assert f"note: resumed at iteration {at}" in told
    assert "until then" not in told, "as many ranks as before"
    assert RunDirectory(run).record().settings.ranks == 2
    assert RunDirectory(run).iterations()[-1] == at + 2


def test_killed_with_its_ranks(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    folder.mkdir()
    process = launch(folder, write_task(on_ranks(tmp_path, epochs=10.0**6)), 0)
    wait_for(lambda: (tmp_path / "run" / "metrics.jsonl").exists(), "an iteration")
    assert len(workers(folder)) == 3
    send_signal(folder, signal.SIGKILL)
    assert process.wait(60) == -signal.SIGKILL
    wait_for(lambda: not workers(folder), "the end of the ranks")


def workers(folder: Path) -> list[str]:
    """The processes of the task of a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (process / "cmdline").read_bytes().split(b"\0")
            if command[:1] == [sys.executable.encode()] and str(folder).encode() in command:
                found.append(process.name)
    return found


def test_a_mistake_on_ranks_is_told_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    task = on_ranks(tmp_path)
    task.network.write_text(SEED.replace("Power", "Powr", 1))
    assert work(tmp_path / "job", task) == 3
    told = capfd.readouterr().err
    assert told.count("unknown layer type 'Powr'") == 1
    assert "Traceback" not in told

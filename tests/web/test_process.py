"""Tasks in processes of their own: who lives is known, and how one ended."""

from __future__ import annotations

import gc
import signal
from pathlib import Path

from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.tasks.datasets import MakeGradients
from protonet.jobs.tasks.task import write_task
from protonet.jobs.tasks.trainings import TrainNetwork
from protonet.web.process import (
    is_alive,
    last_complaint,
    launch,
    pid_of,
    read_exit,
    send_signal,
)
from tests.web.browser import wait_for
from tests.web.conftest import NET


def training(data: Path, epochs: float = 1.0) -> str:
    settings = RunSettings(
        data / "train_images", labels=data / "train_labels", epochs=epochs, out=Path("run")
    )
    return write_task(TrainNetwork(Path("net.prototxt"), settings))


def making(count: int) -> str:
    return write_task(MakeGradients(folder=Path("data"), count=count))


def test_a_task_that_ends_well(tmp_path: Path) -> None:
    assert not is_alive(tmp_path)
    process = launch(tmp_path, making(5), 0)
    assert process.wait(60) == 0
    assert read_exit(tmp_path) == 0
    assert (tmp_path / "data" / "train_images").is_dir()
    assert not is_alive(tmp_path)
    assert pid_of(tmp_path) is None
    assert last_complaint(tmp_path) == ""


def test_a_task_that_fails_says_why(tmp_path: Path, gradients: Path) -> None:
    (tmp_path / "net.prototxt").write_text('layer { name: "a" type: "Nothing" top: "x" }')
    process = launch(tmp_path, training(gradients), 0)
    assert process.wait(60) == 3
    assert read_exit(tmp_path) == 3
    told = last_complaint(tmp_path)
    assert "unknown layer type 'Nothing'" in told
    assert not told.startswith("error")


def test_a_process_lives_on_when_nobody_holds_it(tmp_path: Path) -> None:
    """That Python warns of such processes would be an error here."""
    process = launch(tmp_path, making(900_000), 0)
    wait_for(lambda: pid_of(tmp_path) is not None, "the process")
    del process
    gc.collect()
    assert is_alive(tmp_path)
    send_signal(tmp_path, signal.SIGKILL)
    wait_for(lambda: not is_alive(tmp_path), "its end")


def test_a_process_that_is_killed(tmp_path: Path) -> None:
    process = launch(tmp_path, making(900_000), 0)
    wait_for(lambda: pid_of(tmp_path) == process.pid, "the process")
    assert is_alive(tmp_path)
    send_signal(tmp_path, signal.SIGKILL)
    process.wait(60)
    wait_for(lambda: not is_alive(tmp_path), "its end")
    assert read_exit(tmp_path) is None
    send_signal(tmp_path, signal.SIGKILL)  # nobody is there, and nobody else is hit


def test_sigint_stops_a_training_with_a_snapshot(tmp_path: Path, gradients: Path) -> None:
    (tmp_path / "net.prototxt").write_text(NET)
    process = launch(tmp_path, training(gradients, epochs=1e5), 0)
    wait_for(lambda: (tmp_path / "run" / "metrics.jsonl").exists(), "the training")
    wait_for(lambda: "Iteration" in (tmp_path / "output.log").read_text(), "its loop")
    send_signal(tmp_path, signal.SIGINT)
    assert process.wait(60) == 130
    assert read_exit(tmp_path) == 130
    assert last_complaint(tmp_path) == ""
    stopped = RunDirectory(tmp_path / "run").iterations()[-1]
    assert f"stopped after {stopped} iterations" in (tmp_path / "output.log").read_text()


def test_no_more_memory_than_allowed(tmp_path: Path, gradients: Path) -> None:
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "ip" type: "InnerProduct" bottom: "data" top: "x" '
        "inner_product_param { num_output: 9000000 } }"
        'layer { name: "small" type: "InnerProduct" bottom: "x" top: "y" '
        "inner_product_param { num_output: 2 } }"
        'layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "label" top: "loss" }'
    )
    process = launch(tmp_path, training(gradients), 4 << 30)
    assert process.wait(60) not in (0, 1)
    assert "memory" in last_complaint(tmp_path)

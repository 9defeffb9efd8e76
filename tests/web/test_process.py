"""Commands in processes of their own: who lives is known, and how one ended."""

from __future__ import annotations

import gc
import signal
from pathlib import Path

from protonet.web.process import (
    is_alive,
    last_complaint,
    launch,
    pid_of,
    read_exit,
    send_signal,
)
from tests.web.browser import wait_for


def test_a_command_that_ends_well(tmp_path: Path) -> None:
    assert not is_alive(tmp_path)
    process = launch(tmp_path, ["create-db", "gradients", "data", "-c", "5"], 0)
    assert process.wait(60) == 0
    assert read_exit(tmp_path) == 0
    assert (tmp_path / "data" / "train_images").is_dir()
    assert not is_alive(tmp_path)
    assert pid_of(tmp_path) is None
    assert last_complaint(tmp_path) == ""


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text('layer { name: "a" type: "Nothing" top: "x" }')
    process = launch(tmp_path, ["check", "net.prototxt"], 0)
    assert process.wait(60) == 3
    assert read_exit(tmp_path) == 3
    told = last_complaint(tmp_path)
    assert "unknown layer type 'Nothing'" in told
    assert not told.startswith("error")


def test_a_process_lives_on_when_nobody_holds_it(tmp_path: Path) -> None:
    """That Python warns of such processes would be an error here."""
    process = launch(tmp_path, ["create-db", "gradients", "data", "-c", "900000"], 0)
    wait_for(lambda: pid_of(tmp_path) is not None, "the process")
    del process
    gc.collect()
    assert is_alive(tmp_path)
    send_signal(tmp_path, signal.SIGKILL)
    wait_for(lambda: not is_alive(tmp_path), "its end")


def test_a_process_that_is_killed(tmp_path: Path) -> None:
    process = launch(tmp_path, ["create-db", "gradients", "data", "-c", "900000"], 0)
    wait_for(lambda: pid_of(tmp_path) == process.pid, "the process")
    assert is_alive(tmp_path)
    send_signal(tmp_path, signal.SIGKILL)
    process.wait(60)
    wait_for(lambda: not is_alive(tmp_path), "its end")
    assert read_exit(tmp_path) is None
    send_signal(tmp_path, signal.SIGKILL)  # nobody is there, and nobody else is hit


def test_no_more_memory_than_allowed(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "d" type: "DummyData" top: "x" '
        "dummy_data_param { shape { dim: 2000 dim: 1000 dim: 1000 } } }"
    )
    process = launch(tmp_path, ["time", "-model", "net.prototxt", "-iterations", "1"], 4 << 30)
    assert process.wait(60) not in (0, 1)
    assert "memory" in last_complaint(tmp_path)

"""Run directories."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.errors import FormatError, UsageError
from protonet.jobs.run.directory import RunDirectory, read_class_names
from protonet.jobs.run.record import RunRecord
from protonet.jobs.run.settings import RunSettings, SolverSettings


def test_update_keeps_what_was_there(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "a" / "run", "net")
    run.write(RunRecord(settings=RunSettings(tmp_path), prefix="snapshot"))
    run.update(status="run")
    record = RunDirectory.open(run.path).record()
    assert (record.kind, record.status) == ("network", "run")
    assert record.versions.keys() >= {"protonet", "python", "numpy"}
    assert record.changed >= record.created
    assert run.snapshots().prefix == run.path / "snapshot"


def test_an_empty_directory_may_be_used_and_a_full_one_not(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path, "net")
    (tmp_path / "x").touch()
    with pytest.raises(UsageError, match="already exists"):
        RunDirectory.create(tmp_path, "net")
    with pytest.raises(UsageError, match="already exists"):
        RunDirectory.create(tmp_path / "x", "net")
    with pytest.raises(UsageError, match="cannot be created: Not a directory"):
        RunDirectory.create(tmp_path / "x" / "y", "net")


def test_a_folder_of_a_process_that_was_killed_early_is_taken_again(tmp_path: Path) -> None:
    """Until run.json is there, nothing can be resumed; only what a run writes is removed."""
    run = RunDirectory.create(tmp_path / "run", "net")
    run.original.write_text("net")
    (run.path / ".solver.prototxt.0123abcd.part").touch()
    with pytest.raises(UsageError, match=r"was stopped before training began.* repeat"):
        RunDirectory.open(run.path)
    with run.held(), pytest.raises(UsageError, match="another process"):
        RunDirectory.create(run.path, "net")
    again = RunDirectory.create(run.path, "net")
    assert [path.name for path in again.path.iterdir()] == [".beginning"]
    (run.path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="already exists"):
        RunDirectory.create(run.path, "net")
    assert (run.path / "mine.txt").read_text() == "mine"
    (run.path / "mine.txt").unlink()
    again = RunDirectory.create(run.path, "net")
    again.write(RunRecord(settings=RunSettings(tmp_path), prefix="snapshot"))
    assert [path.name for path in again.path.iterdir()] == ["run.json"]
    with pytest.raises(UsageError, match="already exists"):
        RunDirectory.create(run.path, "net")


def test_discarding_leaves_what_was_there(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    run = RunDirectory.create(mine, "net")
    (mine / "x").touch()
    (mine / "folder").mkdir()
    run.discard()
    assert list(mine.iterdir()) == []
    run = RunDirectory.create(tmp_path / "a" / "b" / "run", "net")
    (tmp_path / "a" / "other").touch()
    run.discard()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["other"]


def test_names_by_time_never_collide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runs = [RunDirectory.create(None, "net") for _ in range(3)]
    assert len({run.path for run in runs}) == 3
    for run in reversed(runs):
        run.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_held_by_one(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", "net")
    with (
        run.held(),
        pytest.raises(UsageError, match="another process"),
        RunDirectory(run.path).held(),
    ):
        pytest.fail("held twice")
    with run.held():
        assert run.path.exists()


def test_only_own_snapshots_count_in_a_shared_folder(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", "net")
    run.write(RunRecord(settings=SolverSettings(), prefix=str(tmp_path / "w")))
    for iteration in (2, 4):
        for suffix in (".caffemodel", ".solverstate"):
            (tmp_path / f"w_iter_{iteration}{suffix}").touch()
    assert run.iterations() == []
    run.metrics.write_text('{"event": "snapshotted", "iteration": 2}\n')
    assert run.iterations() == [2]


def test_names_of_classes(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("a\n\nb c\n\n\n")
    assert read_class_names(path) == ["a", "", "b c"]
    assert RunDirectory(tmp_path).class_names() == ["a", "", "b c"]
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FormatError, match=r"labels\.txt: expected text"):
        read_class_names(path)
    path.unlink()
    assert RunDirectory(tmp_path).class_names() is None

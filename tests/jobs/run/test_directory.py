"""Run directories."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from protonet.errors import FormatError, UsageError
from protonet.jobs.run.directory import (
    RunDirectory,
    fingerprint,
    fingerprint_text,
    read_class_names,
)
from protonet.proto.text import Source


def test_update_keeps_what_was_there(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "a" / "run", "net")
    run.update(kind="network", prefix="snapshot")
    run.update(status="run")
    info = RunDirectory.open(run.path).read()
    assert (info["kind"], info["status"]) == ("network", "run")
    assert info["versions"].keys() >= {"protonet", "python", "numpy"}
    assert info["changed"] >= info["created"]
    assert run.snapshots().prefix == run.path / "snapshot"


def test_an_empty_directory_may_be_used_and_a_full_one_not(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path, "net")
    (tmp_path / "x").touch()
    with pytest.raises(UsageError, match="exists already"):
        RunDirectory.create(tmp_path, "net")
    with pytest.raises(UsageError, match="exists already"):
        RunDirectory.create(tmp_path / "x", "net")
    with pytest.raises(UsageError, match="cannot be made: Not a directory"):
        RunDirectory.create(tmp_path / "x" / "y", "net")


def test_a_folder_of_a_process_that_was_killed_early_is_taken_again(tmp_path: Path) -> None:
    """Until run.json is there, nothing can be resumed; only what a run writes is removed."""
    run = RunDirectory.create(tmp_path / "run", "net")
    run.original.write_text("net")
    (run.path / ".solver.prototxt.0123abcd.part").touch()
    with pytest.raises(UsageError, match=r"was ended before it began.* once more"):
        RunDirectory.open(run.path)
    with run.held(), pytest.raises(UsageError, match="another process"):
        RunDirectory.create(run.path, "net")
    again = RunDirectory.create(run.path, "net")
    assert [path.name for path in again.path.iterdir()] == [".beginning"]
    (run.path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        RunDirectory.create(run.path, "net")
    assert (run.path / "mine.txt").read_text() == "mine"
    (run.path / "mine.txt").unlink()
    again = RunDirectory.create(run.path, "net")
    again.update(kind="network")
    assert [path.name for path in again.path.iterdir()] == ["run.json"]
    with pytest.raises(UsageError, match="exists already"):
        RunDirectory.create(run.path, "net")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "damaged"),
        ("[]", "is not a run.json"),
        ("{}", "is not a run"),
        ("[" * 100_000, "damaged"),
        ('{"kind": "network", "prefix": 3}', "damaged: expected prefix as str, got 3"),
        ('{"kind": ["network"]}', "damaged: expected kind as str, got"),
        ('{"kind": "network", "settings": "x"}', 'damaged: expected settings as dict, got "x"'),
        ('{"kind": "network", "average": "x"}', 'damaged: expected average as number, got "x"'),
        ('{"kind": "network", "hdf5": 1}', "damaged: expected hdf5 as bool, got 1"),
        (
            '{"kind": "network", "databases": [{"path": "a", "sha256": "b"}]}',
            "damaged: a database has a path, bytes and sha256, not",
        ),
    ],
)
def test_a_damaged_run_json(tmp_path: Path, text: str, message: str) -> None:
    run = RunDirectory(tmp_path)
    run.info.write_text(text)
    with pytest.raises(FormatError, match=message):
        run.read()


def test_fingerprints_of_files_and_databases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data.mdb").write_bytes(b"0123456789")
    found = fingerprint(tmp_path)
    assert (found["bytes"], found["hashed"]) == (10, 10)
    assert found["sha256"] == hashlib.sha256(b"0123456789").hexdigest()
    assert fingerprint(tmp_path / "data.mdb")["sha256"] == found["sha256"]
    monkeypatch.setattr("protonet.jobs.run.directory._HASHED", 4)
    assert fingerprint(tmp_path)["sha256"] == hashlib.sha256(b"0189").hexdigest()
    assert fingerprint(tmp_path)["hashed"] == 4


def test_fingerprint_of_a_text() -> None:
    assert fingerprint_text(Source("net", "\u00e4")) == {
        "path": "net",
        "bytes": 2,
        "sha256": hashlib.sha256("\u00e4".encode()).hexdigest(),
    }


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
    run.update(kind="solver", prefix=str(tmp_path / "w"))
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
    with pytest.raises(FormatError, match=r"labels\.txt: expected a text"):
        read_class_names(path)
    path.unlink()
    assert RunDirectory(tmp_path).class_names() is None


def test_a_value_that_run_json_lacks_is_told(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.update(kind="network")
    with pytest.raises(FormatError, match=r"run\.json: damaged: it lacks prefix"):
        run.snapshots()
    assert run.read().get("seed") is None

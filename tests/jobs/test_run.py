"""Run directories."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from protonet.errors import FormatError, UsageError
from protonet.jobs.run import RunDirectory, fingerprint


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


@pytest.mark.parametrize(
    ("text", "message"), [("{", "damaged"), ("[]", "is not a run.json"), ("{}", "is not a run")]
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
    assert found["bytes"] == 10
    assert found["sha256"] == hashlib.sha256(b"0123456789").hexdigest()
    assert fingerprint(tmp_path / "data.mdb")["sha256"] == found["sha256"]
    monkeypatch.setattr("protonet.jobs.run._HASHED", 4)
    assert fingerprint(tmp_path)["sha256"] == hashlib.sha256(b"0189").hexdigest()

"""Fingerprints of files, databases and texts."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from protonet.jobs.run.fingerprint import Fingerprint, fingerprint, fingerprint_text, fingerprints
from protonet.proto.text import Source


def test_fingerprints_of_files_and_databases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data.mdb").write_bytes(b"0123456789")
    found = fingerprint(tmp_path)
    assert (found.bytes, found.hashed) == (10, 10)
    assert found.sha256 == hashlib.sha256(b"0123456789").hexdigest()
    assert fingerprint(tmp_path / "data.mdb").sha256 == found.sha256
    monkeypatch.setattr("protonet.jobs.run.fingerprint._HASHED", 4)
    assert fingerprint(tmp_path).sha256 == hashlib.sha256(b"0189").hexdigest()
    assert fingerprint(tmp_path).hashed == 4


def test_of_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "folder").mkdir()
    for name in ("db/data.mdb", "list.txt"):
        (tmp_path / name).write_text(name)
    names = [str(tmp_path / name) for name in ("list.txt", "absent", "folder", "db")]
    assert [each.path for each in fingerprints(names)] == [names[0], names[3]]


def test_fingerprint_of_a_text() -> None:
    found = fingerprint_text(Source("net", "\u00e4"))
    assert found == Fingerprint("net", 2, hashlib.sha256("\u00e4".encode()).hexdigest())


def test_the_same_bytes_elsewhere_are_the_same() -> None:
    one = Fingerprint("a", 2, "x", 2)
    assert one.is_of(Fingerprint("b", 2, "x", 1))
    assert not one.is_of(Fingerprint("a", 3, "x"))
    assert not one.is_of(Fingerprint("a", 2, "y"))

"""The files of a run: only its own; lines of its log that contain a text."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.errors import UsageError
from protonet.web.run_files import file_of, files_of, search, text_of


def test_files(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert files_of(run) == []
    (run / "folder").mkdir(parents=True)
    (run / "b.txt").write_bytes(b"12345")
    (run / "a.caffemodel").write_bytes(b"1")
    (run / ".beginning").touch()
    (tmp_path / "secret").write_text("x")
    (run / "link").symlink_to(tmp_path / "secret")
    assert [(each.name, each.bytes) for each in files_of(run)] == [
        ("a.caffemodel", 1),
        ("b.txt", 5),
    ]
    assert file_of(run, "b.txt") == run / "b.txt"
    for name in ("../secret", "link", ".beginning", "folder", "", "c"):
        with pytest.raises(UsageError, match="has no file"):
            file_of(run, name)


def test_texts(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("a" * (1 << 20) + "b")
    assert text_of(tmp_path / "x").endswith("aa\n(cut after 1,048,576 bytes)")
    assert text_of(tmp_path / "nowhere") == ""


def test_searching(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"Iteration {n}, loss = {n % 10}\n" for n in range(1000)))
    found = search(log, "LOSS = 3", most=2)
    assert found.total == 100
    assert found.lines == [
        (984, "Iteration 983, loss = 3"), (994, "Iteration 993, loss = 3"),
    ]  # fmt: skip
    assert search(log, "nothing").lines == []
    assert search(tmp_path / "nowhere", "x").total == 0

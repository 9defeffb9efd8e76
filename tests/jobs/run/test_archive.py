"""Runs that came as one file."""

from __future__ import annotations

import io
import shutil
import zipfile
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from protonet.errors import FormatError
from protonet.jobs.run.archive import unpacked
from tests.fuzz.mutate import mutant


def pack(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in files.items():
            file.writestr(name, data)
    return path


def test_folders_stay_as_they_are(tmp_path: Path) -> None:
    with unpacked(tmp_path) as found:
        assert found == tmp_path
    with unpacked(tmp_path / "absent.zip") as found:
        assert found == tmp_path / "absent.zip"


def test_one_run(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.zip", {"a/run.json": b"{}", "a/deploy.prototxt": b"net"})
    with unpacked(path) as found:
        assert (found / "deploy.prototxt").read_bytes() == b"net"
    assert not found.exists()


def test_names_that_lead_out_stay_in(tmp_path: Path) -> None:
    absolute = tmp_path / "evil2"
    names = {"a/run.json": b"{}", "../../evil": b"x", str(absolute): b"x"}
    path = pack(tmp_path / "x.zip", names)
    with unpacked(path) as found:
        assert found.is_relative_to(found.parents[1])
    assert not (tmp_path / "evil").exists()
    assert not absolute.exists()


@pytest.mark.parametrize("files", [{}, {"x": b""}, {"a/run.json": b"", "b/run.json": b""}])
def test_none_or_several_runs(tmp_path: Path, files: dict[str, bytes]) -> None:
    path = pack(tmp_path / "x.zip", files)
    with pytest.raises(FormatError, match="not 1"), unpacked(path):
        pass


def test_what_is_no_zip(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"no zip")
    with pytest.raises(FormatError, match=r"is damaged, or no \.zip"), unpacked(tmp_path / "x.zip"):
        pass
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a/run.json", bytes(1000))
    broken = bytearray(buffer.getvalue())
    broken[50] ^= 255
    (tmp_path / "y.zip").write_bytes(broken)
    with pytest.raises(FormatError), unpacked(tmp_path / "y.zip"):
        pass


def test_what_is_made_to_fill_a_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack(tmp_path / "x.zip", {"a/run.json": b"{}", "a/b": bytes(70 * 2**20)})
    with (
        pytest.raises(FormatError, match=r"x\.zip: unpacks to 70\.0 MiB; of .* no more than 64"),
        unpacked(path),
    ):
        pass
    path = pack(tmp_path / "y.zip", {"a/run.json": b"{}", "a/b": bytes(2**20)})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**20))
    with (
        pytest.raises(FormatError, match=r"y\.zip: unpacks to 1\.0 MiB, but .* for 1\.0 MiB in"),
        unpacked(path),
    ):
        pass
    path = pack(tmp_path / "z.zip", {f"a/{i}": b"" for i in range(10_001)})
    with (
        pytest.raises(FormatError, match=r"holds 10,001 files; a run has no more than 10,000"),
        unpacked(path),
    ):
        pass


def test_changed_archives_are_refused_or_read(tmp_path: Path) -> None:
    sound = pack(tmp_path / "x.zip", {"a/run.json": b"{}", "a/b": bytes(range(200))}).read_bytes()
    path = tmp_path / "changed.zip"
    for number in range(600):
        path.write_bytes(mutant([sound], number, text=False))
        with suppress(FormatError), unpacked(path):
            pass

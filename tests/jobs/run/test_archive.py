"""Runs that came as one file."""

from __future__ import annotations

import gzip
import io
import shutil
import signal
import stat
import tarfile
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from protonet.errors import DataError, FormatError, Mistake, NetworkError
from protonet.jobs.run.archive import ENDINGS, unpacked
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


def tar(path: Path, members: dict[str, bytes | tarfile.TarInfo]) -> Path:
    kind = {".gz": "gz", ".tgz": "gz", ".bz2": "bz2"}.get(path.suffix, "")
    with tarfile.open(path, f"w:{kind}") as file:
        for name, data in members.items():
            info = data if isinstance(data, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(data) if isinstance(data, bytes) else 0
            file.addfile(info, io.BytesIO(data) if isinstance(data, bytes) else None)
    return path


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where archives are unpacked."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_kind_and_a_model_on_top(tmp_path: Path, temporary: Path, ending: str) -> None:
    path = tmp_path / f"x{ending.upper()}" if ending == ".zip" else tmp_path / f"x{ending}"
    files = {"./deploy.prototxt": b"net", "a/b": bytes(range(256)) * 9000, ".c.prototxt": b""}
    pack(path, files) if ending == ".zip" else tar(path, dict(files))
    with unpacked(path) as found:
        assert found.parent == temporary
        assert (found / "deploy.prototxt").read_bytes() == b"net"
        assert (found / "a" / "b").read_bytes() == bytes(range(256)) * 9000
    assert not list(temporary.iterdir())


def test_a_tar_that_a_browser_made_plain(tmp_path: Path) -> None:
    tar(tmp_path / "x.tar", {"m/deploy.prototxt": b"net"}).rename(tmp_path / "x.tar.gz")
    with unpacked(tmp_path / "x.tar.gz") as found:
        assert (found / "deploy.prototxt").read_bytes() == b"net"


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (special("l", tarfile.SYMTYPE, "/etc/passwd"), "contains l, which is a link"),
        (special("l", tarfile.LNKTYPE, "deploy.prototxt"), "contains l, which is a link"),
        (special("d", tarfile.CHRTYPE), "contains d, which is not a regular file"),
        (special("p", tarfile.FIFOTYPE), "contains p, which is not a regular file"),
        (special("../out", tarfile.REGTYPE), r"contains '\.\./out', a path outside of it"),
        (special("/out", tarfile.REGTYPE), "contains '/out', a path outside of it"),
    ],
)
def test_members_that_could_do_harm(
    tmp_path: Path, temporary: Path, member: tarfile.TarInfo, message: str
) -> None:
    path = tar(tmp_path / "x.tar.gz", {"deploy.prototxt": b"net", "harm": member})
    with pytest.raises(FormatError, match=message), unpacked(path):
        pass
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("name", ["../../evil", "/evil", "a/../../evil"])
def test_names_in_a_zip_that_lead_out(tmp_path: Path, temporary: Path, name: str) -> None:
    path = pack(tmp_path / "x.zip", {"a/run.json": b"{}", name: b"x"})
    with pytest.raises(FormatError, match="a path outside of it"), unpacked(path):
        pass
    assert not list(temporary.iterdir())


def test_a_link_in_a_zip(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("l")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr("run.json", b"{}")
        file.writestr(link, b"/etc/passwd")
    with (
        pytest.raises(FormatError, match="contains l, which is a link"),
        unpacked(tmp_path / "x.zip"),
    ):
        pass


def test_a_tar_that_is_made_to_fill_a_disk(tmp_path: Path, temporary: Path) -> None:
    path = tar(tmp_path / "x.tar.gz", {"deploy.prototxt": b"", "b": bytes(70 * 2**20)})
    message = r"unpacks to more than allowed: 64\.0 MiB"
    with pytest.raises(FormatError, match=message), unpacked(path):
        pass
    long = special("deploy.prototxt", tarfile.REGTYPE)
    long.pax_headers = {"comment": "x" * 2**21}
    path = tmp_path / "y.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as file:
        file.addfile(long)
    with pytest.raises(FormatError, match="a header is too long"), unpacked(path):
        pass
    assert not list(temporary.iterdir())


def test_a_tar_that_is_cut_off(tmp_path: Path, temporary: Path) -> None:
    random = np.random.default_rng(0).bytes(200_000)
    whole = tar(tmp_path / "x.tar.gz", {"deploy.prototxt": b"", "w": random}).read_bytes()
    for cut in (1, 30, len(whole) // 2, len(whole) - 9):
        path = tmp_path / "cut.tgz"
        path.write_bytes(whole[:cut])
        with pytest.raises(FormatError, match=r"cut\.tgz: damaged"), unpacked(path):
            pass
    assert not list(temporary.iterdir())


def test_errors_name_the_archive_and_nothing_stays(tmp_path: Path, temporary: Path) -> None:
    path = tar(tmp_path / "x.tgz", {"m/deploy.prototxt": b"net"})
    with pytest.raises(DataError, match=f"^{path}/m/deploy.prototxt: no$"), unpacked(path) as found:
        raise DataError(f"{found / 'deploy.prototxt'}: no")
    with pytest.raises(NetworkError) as caught, unpacked(path) as found:
        raise NetworkError([Mistake("no", file=str(found / "deploy.prototxt"), line=3)])
    assert str(caught.value) == f"{path}/m/deploy.prototxt:3: no"
    assert caught.value.mistakes[0].file == f"{path}/m/deploy.prototxt"
    with pytest.raises(KeyboardInterrupt), unpacked(path):
        raise KeyboardInterrupt
    with pytest.raises(SystemExit, match="143"), unpacked(path):
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert not list(temporary.iterdir())


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    path = tar(tmp_path / "x.tar", {"labels.txt": b"", "a/b": b""})
    with pytest.raises(FormatError, match=r"\.caffemodel\): it has a, labels\.txt"), unpacked(path):
        pass


@pytest.mark.parametrize("files", [{}, {"x": b""}, {"a/run.json": b"", "b/run.json": b""}])
def test_none_or_several_runs(tmp_path: Path, files: dict[str, bytes]) -> None:
    path = pack(tmp_path / "x.zip", files)
    with pytest.raises(FormatError, match="contains"), unpacked(path):
        pass


def test_what_is_no_zip(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"no zip")
    with pytest.raises(FormatError, match=r"damaged, or not a \.zip"), unpacked(tmp_path / "x.zip"):
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
        pytest.raises(FormatError, match=r"x\.zip: unpacks to 70\.0 MiB, more than allowed: 64"),
        unpacked(path),
    ):
        pass
    path = pack(tmp_path / "y.zip", {"a/run.json": b"{}", "a/b": bytes(2**20)})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**20))
    with (
        pytest.raises(FormatError, match=r"y\.zip: unpacks to 1\.0 MiB, but 1\.0 MiB are free in"),
        unpacked(path),
    ):
        pass
    path = pack(tmp_path / "z.zip", {f"a/{i}": b"" for i in range(10_001)})
    with (
        pytest.raises(FormatError, match=r"contains 10,001 files; a run has at most 10,000"),
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


def test_changed_tars_are_refused_or_read(tmp_path: Path, temporary: Path) -> None:
    sound = tar(tmp_path / "x.tar", {"a/run.json": b"{}", "a/b": bytes(range(200))}).read_bytes()
    for name in ("changed.tar", "changed.tgz"):
        path = tmp_path / name
        for number in range(300):
            changed = mutant([sound], number, text=False)
            path.write_bytes(gzip.compress(changed) if name.endswith("gz") else changed)
            with suppress(FormatError), unpacked(path):
                pass
    assert not list(temporary.iterdir())

"""Folders that came as one file: a run, or a model as DIGITS lets one download it."""

from __future__ import annotations

import bz2
import gzip
import io
import shutil
import signal
import stat
import tarfile
import tempfile
import threading
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from protonet.errors import FormatError, NetworkError, ProtonetError
from protonet.sizes import byte_count

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2")

_LARGEST, _SMALL = 64 * 2**30, 64 * 2**20
"""Bytes that an archive may unpack to, and those that any may."""

_RATIO = 100
"""How many times its size a larger archive may unpack to: weights hardly shrink, and texts of more
than 64 MiB are no part of a run. What is made to fill a disk shrinks a thousand times.
"""

_FILES = 10_000
_CHUNK = 2**20
_SHOWN = 12
"""Names that a message lists."""

_SIGNS = ("info.json", "*.prototxt", "*.caffemodel")
"""One of these is in the folder of a model."""


class _Entry(NamedTuple):
    """A file in an archive; ``open`` reads it. ``refused`` says what it is, where no file."""

    name: str
    size: int
    refused: str
    source: zipfile.ZipInfo | tarfile.TarInfo


def is_packed(path: Path) -> bool:
    """Whether a path is a file that ``unpacked`` unpacks."""
    return path.name.lower().endswith(ENDINGS) and path.is_file()


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """The folder of a run or a model: ``path`` itself, or while the block lasts what an archive
    (one of ``ENDINGS``) holds. Errors of the block name the archive, not the folder.

    Raises:
        FormatError: for a file that is no archive, is damaged, holds what could do harm (too much,
            links, names that lead out of it), or holds no run and no model.
    """
    if not is_packed(path):
        yield path
        return
    with _ended_in_order(), tempfile.TemporaryDirectory(prefix="protonet-") as folder:
        try:
            _unpack(path, Path(folder))
            yield _root(path, Path(folder))
        except ProtonetError as error:
            _rename(error, folder, str(path))
            raise


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Let SIGTERM end the block as an error does, so that nothing stays behind."""

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _rename(error: ProtonetError, folder: str, name: str) -> None:
    """In the texts of an error."""
    error.args = tuple(str(each).replace(folder, name) for each in error.args)
    if isinstance(error, NetworkError):
        error.mistakes = tuple(
            replace(
                each,
                file=each.file.replace(folder, name),
                message=each.message.replace(folder, name),
            )
            for each in error.mistakes
        )


def _unpack(path: Path, folder: Path) -> None:
    kind = ".zip" if path.suffix.lower() == ".zip" else ".tar"
    try:
        with zipfile.ZipFile(path) if kind == ".zip" else _tar(path) as archive:
            entries = _entries(archive)
            _check(path, entries, folder)
            for entry in entries:
                _write(archive, entry, folder)
    except FormatError:
        raise
    except OSError as error:
        if error.strerror is None:  # the decompressors say so what is damaged
            raise FormatError(f"{path}: is damaged, or no archive: {error}") from error
        raise FormatError(f"{path}: cannot be unpacked: {error.strerror}") from error
    except Exception as error:  # zipfile and tarfile let through whatever damaged bytes provoke
        raise FormatError(f"{path}: is damaged, or no {kind}: {error}") from error


class _Bounded(io.BufferedReader):
    """Refuses to read much at once: the headers of a tar say how long they are."""

    def read(self, size: int | None = -1, /) -> bytes:
        """As in the base."""
        if size is None or not 0 <= size <= _CHUNK:
            raise tarfile.ReadError("a header is too long")
        return super().read(size)


@contextmanager
def _tar(path: Path) -> Iterator[tarfile.TarFile]:
    """A tar, however it is compressed: first made plain, so far as it may become."""
    with path.open("rb") as file, tempfile.TemporaryFile() as plain:
        head = file.read(3)
        file.seek(0)
        number = file.fileno()
        for magic, kind in ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open)):
            if head.startswith(magic):
                with kind(file, "rb") as packed:
                    _expand(path, packed, plain)
                number = plain.fileno()
        with _Bounded(io.FileIO(number, closefd=False)) as reader:
            reader.seek(0)
            with tarfile.open(fileobj=reader, mode="r:") as archive:
                yield archive


def _expand(path: Path, packed: Any, plain: IO[bytes]) -> None:
    size, most = 0, _most(path)
    for chunk in _chunks(packed):
        size += len(chunk)
        if size > most:
            raise FormatError(f"{path}: unpacks to more than is taken: {_allowed(path)}")
        plain.write(chunk)
    plain.flush()


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


def _entries(archive: zipfile.ZipFile | tarfile.TarFile) -> list[_Entry]:
    """What an archive holds, without folders; one more than it may at most."""
    if isinstance(archive, zipfile.ZipFile):
        return [
            _Entry(each.filename, each.file_size, _kind(each.external_attr >> 16), each)
            for each in archive.infolist()
            if not each.is_dir()
        ]
    return [
        _Entry(each.name, each.size, _tar_kind(each), each)
        for each in islice(archive, _FILES + 1)
        if not each.isdir()
    ]


def _kind(mode: int) -> str:
    """What the mode of a file in a zip says, where it is no plain file."""
    if stat.S_ISLNK(mode):
        return "a link"
    return "" if not stat.S_IFMT(mode) or stat.S_ISREG(mode) else "no file"


def _tar_kind(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return "a link"
    return "" if member.isreg() and not member.issparse() else "no plain file"


def _check(path: Path, entries: Sequence[_Entry], folder: Path) -> None:
    """Refuse what would fill the disk, or get out of the folder."""
    if len(entries) > _FILES:
        raise FormatError(
            f"{path}: holds {len(entries):,} files; a run has no more than {_FILES:,}"
        )
    for entry in entries:
        name = PurePosixPath(entry.name)
        if name.is_absolute() or ".." in name.parts or not name.parts or "\0" in entry.name:
            raise FormatError(f"{path}: holds '{entry.name}', which leads out of it")
        if entry.refused:
            raise FormatError(f"{path}: holds {entry.name}, which is {entry.refused}")
    size = sum(entry.size for entry in entries)
    if size > _most(path):
        raise FormatError(f"{path}: unpacks to {byte_count(size)}; {_allowed(path)} are taken")
    free = shutil.disk_usage(folder).free
    if size > free:
        raise FormatError(
            f"{path}: unpacks to {byte_count(size)}, but there is room for {byte_count(free)} in "
            f"{folder.parent}"
        )


def _most(path: Path) -> int:
    return min(_LARGEST, max(_SMALL, _RATIO * path.stat().st_size))


def _allowed(path: Path) -> str:
    return f"of {byte_count(path.stat().st_size)} no more than {byte_count(_most(path))}"


def _write(archive: zipfile.ZipFile | tarfile.TarFile, entry: _Entry, folder: Path) -> None:
    """One file of the archive, no longer than it said."""
    if isinstance(entry.source, zipfile.ZipInfo):
        assert isinstance(archive, zipfile.ZipFile)
        source: IO[bytes] | None = archive.open(entry.source)
    else:
        assert isinstance(archive, tarfile.TarFile)
        source = archive.extractfile(entry.source)
    assert source is not None, "a plain file"
    target = folder / PurePosixPath(entry.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with source, target.open("wb") as file:
        for chunk in _chunks(source):
            size += len(chunk)
            if size > entry.size:
                raise ValueError(f"{entry.name} is longer than it says")
            file.write(chunk)
    if size != entry.size:
        raise ValueError(f"{entry.name} is cut off")


def _root(path: Path, folder: Path) -> Path:
    """The folder of the one run, or else of the one model; on top or one below."""
    runs = [found.parent for found in (*folder.glob("*/run.json"), *folder.glob("run.json"))]
    places = [each for each in sorted(folder.iterdir()) if each.is_dir()]
    models = [each for each in (folder, *places) if holds_model(each)]
    for what, found in (("runs (folders with a run.json)", runs), ("models", models)):
        if len(found) == 1:
            return found[0]
        if found:
            raise FormatError(f"{path}: holds {len(found)} {what}, not 1")
    raise FormatError(
        f"{path}: holds no run (run.json) and no model (deploy.prototxt, .caffemodel), not 1 of "
        f"them: {listed(folder)}"
    )


def holds_model(folder: Path) -> bool:
    """Whether a folder looks like a model as DIGITS gives it, and not like a run."""
    if (folder / "run.json").exists():
        return False
    return any(visible(each) for sign in _SIGNS for each in folder.glob(sign))


def visible(path: Path) -> bool:
    """Whether a file is one that somebody put there; macOS adds others to archives."""
    return not path.name.startswith(".") and path.parent.name != "__MACOSX"


def listed(folder: Path) -> str:
    """``it has a, b``: what is in a folder, for messages."""
    names = sorted(each.name for each in folder.iterdir() if visible(each))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"it has {', '.join(names[:_SHOWN])}{more}" if names else "it is empty"

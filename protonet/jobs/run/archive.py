"""Archives of a run, or of a model downloaded from DIGITS."""

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
"""Unpacked size in bytes that is always allowed."""

_RATIO = 100
"""Maximal compression ratio of a larger archive: weights hardly compress, and a run has no texts of
more than 64 MiB. Decompression bombs reach a ratio of a thousand.
"""

_FILES = 10_000
_CHUNK = 2**20
_SHOWN = 12
"""Names in the list of a message."""

_SIGNS = ("info.json", "*.prototxt", "*.caffemodel")
"""The folder of a model has one of these."""


class _Entry(NamedTuple):
    """A file in an archive; ``open`` reads it. ``refused`` is its type if not a regular file."""

    name: str
    size: int
    refused: str
    source: zipfile.ZipInfo | tarfile.TarInfo


def is_packed(path: Path) -> bool:
    """Whether ``unpacked`` can unpack a path."""
    return path.name.lower().endswith(ENDINGS) and path.is_file()


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """The folder of a run or a model: ``path`` itself, or, in the block, the unpacked archive (one
    of ``ENDINGS``). Errors of the block name the archive, not the temporary folder.

    Raises:
        FormatError: for a file that is not an archive, is damaged, is unsafe (too large, links,
        paths that escape it), or contains neither a run nor a model.
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
    """Turn SIGTERM into an exception in the block, so that files are cleaned up."""

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
    """Replace the folder by the name in the messages of an error."""
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
        if error.strerror is None:  # raised by decompressors for damaged data
            raise FormatError(f"{path}: damaged, or not an archive: {error}") from error
        raise FormatError(f"{path}: cannot be unpacked: {error.strerror}") from error
    except Exception as error:  # zipfile and tarfile propagate any exception on damaged bytes
        raise FormatError(f"{path}: damaged, or not a {kind}: {error}") from error


class _Bounded(io.BufferedReader):
    """Refuses large reads: the headers of a tar declare their own length."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Like the base class, with a limit."""
        if size is None or not 0 <= size <= _CHUNK:
            raise tarfile.ReadError("a header is too long")
        return super().read(size)


@contextmanager
def _tar(path: Path) -> Iterator[tarfile.TarFile]:
    """A tar with any compression: first decompressed, up to the size limit."""
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
            raise FormatError(f"{path}: unpacks to more than allowed: {_allowed(path)}")
        plain.write(chunk)
    plain.flush()


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


def _entries(archive: zipfile.ZipFile | tarfile.TarFile) -> list[_Entry]:
    """The files of an archive, without folders; at most one more than allowed."""
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
    """The type of a file in a zip by its mode; "" for a regular file."""
    if stat.S_ISLNK(mode):
        return "a link"
    return "" if not stat.S_IFMT(mode) or stat.S_ISREG(mode) else "no file"


def _tar_kind(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return "a link"
    return "" if member.isreg() and not member.issparse() else "not a regular file"


def _check(path: Path, entries: Sequence[_Entry], folder: Path) -> None:
    """Refuse archives that would fill the disk, or escape the folder."""
    if len(entries) > _FILES:
        raise FormatError(f"{path}: contains {len(entries):,} files; a run has at most {_FILES:,}")
    for entry in entries:
        name = PurePosixPath(entry.name)
        if name.is_absolute() or ".." in name.parts or not name.parts or "\0" in entry.name:
            raise FormatError(f"{path}: contains '{entry.name}', a path outside of it")
        if entry.refused:
            raise FormatError(f"{path}: contains {entry.name}, which is {entry.refused}")
    size = sum(entry.size for entry in entries)
    if size > _most(path):
        raise FormatError(
            f"{path}: unpacks to {byte_count(size)}, more than allowed: {_allowed(path)}"
        )
    free = shutil.disk_usage(folder).free
    if size > free:
        raise FormatError(
            f"{path}: unpacks to {byte_count(size)}, but {byte_count(free)} are free in "
            f"{folder.parent}"
        )


def _most(path: Path) -> int:
    return min(_LARGEST, max(_SMALL, _RATIO * path.stat().st_size))


def _allowed(path: Path) -> str:
    return f"{byte_count(_most(path))} for an archive of {byte_count(path.stat().st_size)}"


def _write(archive: zipfile.ZipFile | tarfile.TarFile, entry: _Entry, folder: Path) -> None:
    """Write one file of the archive, at most of its declared size."""
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
                raise ValueError(f"{entry.name} is larger than declared")
            file.write(chunk)
    if size != entry.size:
        raise ValueError(f"{entry.name} is truncated")


def _root(path: Path, folder: Path) -> Path:
    """The folder of the only run, else of the only model; at the top or one level below."""
    runs = [found.parent for found in (*folder.glob("*/run.json"), *folder.glob("run.json"))]
    places = [each for each in sorted(folder.iterdir()) if each.is_dir()]
    models = [each for each in (folder, *places) if holds_model(each)]
    for what, found in (("runs (folders with a run.json)", runs), ("models", models)):
        if len(found) == 1:
            return found[0]
        if found:
            raise FormatError(f"{path}: contains {len(found)} {what} instead of 1")
    raise FormatError(
        f"{path}: contains neither a run (run.json) nor a model (deploy.prototxt, .caffemodel): "
        f"{listed(folder)}"
    )


def holds_model(folder: Path) -> bool:
    """Whether a folder looks like a model of DIGITS, and not like a run."""
    if (folder / "run.json").exists():
        return False
    return any(visible(each) for sign in _SIGNS for each in folder.glob(sign))


def visible(path: Path) -> bool:
    """Whether a file is visible; macOS adds hidden ones to archives."""
    return not path.name.startswith(".") and path.parent.name != "__MACOSX"


def listed(folder: Path) -> str:
    """``it has a, b``: the files of a folder, for messages."""
    names = sorted(each.name for each in folder.iterdir() if visible(each))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"it has {', '.join(names[:_SHOWN])}{more}" if names else "it is empty"

"""The workspace folder of a server, and the files that untrusted networks may use."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from protonet.errors import UsageError

GIB = 2**30
_OWN = ("protonet.sqlite", "protonet.sqlite-wal", "protonet.sqlite-shm",
        "protonet.sqlite-journal", "secret", "token", "serve.lock")  # fmt: skip
"""Files of the server itself, which users may not use."""


@dataclass(frozen=True)
class Limits:
    """Limits of requests and trainings.

    ``text`` is in characters, ``upload`` (per request) and ``memory`` (per net) in bytes,
    ``pixels`` is per image, ``files`` per upload. ``check_memory`` in bytes and ``check_seconds``
    are per check of a pasted network, in addition to those of its data set.
    """

    text: int = 1_000_000
    upload: int = 512 * 2**20
    pixels: int = 50_000_000
    files: int = 20_000
    memory: int = 4 * GIB
    check_memory: int = GIB
    check_seconds: float = 5.0


@dataclass(frozen=True)
class Workspace:
    """A server's folder: ``protonet.sqlite`` and a folder for each job.

    Users' files must be in it or in one of ``allowed``, after resolving links.
    """

    folder: Path
    allowed: tuple[Path, ...] = ()
    limits: Limits = field(default_factory=Limits)

    @staticmethod
    def open(folder: Path, allowed: Sequence[Path] = (), limits: Limits | None = None) -> Workspace:
        """The workspace in a folder, which is created if it does not exist.

        Raises:
            UsageError: when the folder cannot be created, or an allowed one is not a folder.
        """
        for each in allowed:
            if not each.is_dir():
                raise UsageError(f"{each}: no such folder to allow")
        try:
            (folder / "jobs").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{folder}: cannot be created: {error.strerror}") from error
        roots = tuple(each.resolve() for each in allowed)
        return Workspace(folder.resolve(), roots, limits or Limits())

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.folder / "protonet.sqlite"

    @contextmanager
    def held(self, address: str = "") -> Iterator[None]:
        """Lock the workspace against other servers; the system releases the lock with the process.

        The lock's file has the process and ``address``, for the message of a second server.

        Raises:
            UsageError: when another server has it.
        """
        path = self.folder / "serve.lock"
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UsageError(
                    f"{self.folder}: another protonet serve uses this folder{_holder(path)}; open "
                    "its page, or stop it (Ctrl-C in its terminal), or serve another folder: "
                    "protonet serve DIR"
                ) from error
            os.ftruncate(handle, 0)
            os.write(handle, f"{os.getpid()} {address}".encode())
            yield
        finally:
            os.close(handle)

    def job(self, job_id: str) -> Path:
        """The folder of a job, which may not exist.

        Raises:
            UsageError: for an invalid id.
        """
        if not re.fullmatch(r"[a-z0-9-]{1,64}", job_id):
            raise UsageError("no such job")
        return self.folder / "jobs" / job_id

    def shown(self, path: Path | None) -> str:
        """A path as one types it: relative to the workspace, if it is in it; "" for None."""
        if path is None:
            return ""
        return str(path.relative_to(self.folder) if path.is_relative_to(self.folder) else path)

    def inside(self, name: str) -> Path:
        """The absolute path of a user's file, if it is allowed.

        Raises:
            UsageError: for one outside the allowed folders.
        """
        if not name or "\0" in name:
            raise UsageError("expected the name of a file or folder")
        try:
            path = (self.folder / Path(name).expanduser()).resolve()
            path.exists()
        except (OSError, RuntimeError, UnicodeError) as error:
            raise UsageError(f"{name[:80]}: cannot be the name of a file") from error
        if not any(path.is_relative_to(root) for root in (self.folder, *self.allowed)):
            known = ", ".join(str(root) for root in (self.folder, *self.allowed))
            raise UsageError(
                f"{name}: is outside of the folders that this server may read ({known}); "
                "protonet serve --allow DIR adds one"
            )
        if any(_is_same(path, self.folder / own) for own in _OWN):
            raise UsageError(f"{name}: is a file of the server, not data")
        return path


def _is_same(path: Path, own: Path) -> bool:
    """Whether both are the same file, by name or by a hard link."""
    return path == own or (path.exists() and own.exists() and path.samefile(own))


def _holder(path: Path) -> str:
    """What the file of a lock tells about the server that has it."""
    try:
        pid, _, address = path.read_text().partition(" ")
    except (OSError, UnicodeError):
        return ""
    return (f" (process {pid}" + (f", {address}" if address else "") + ")") if pid else ""

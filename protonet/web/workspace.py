"""The folder that a server works in, and what of the machine strangers' texts may name."""

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
"""Files of the server itself, which no user's name may mean."""


@dataclass(frozen=True)
class Limits:
    """What one request may bring, and one training may take.

    ``text`` is in characters, ``upload`` (of one request) and ``memory`` (of one net) in bytes,
    ``pixels`` are of one image, ``files`` are of one upload. ``check_memory`` in bytes and
    ``check_seconds`` are of one look at a pasted network, beside what its data set takes.
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

    Files that users name must lie in it or in one of ``allowed``, whatever links lead there.
    """

    folder: Path
    allowed: tuple[Path, ...] = ()
    limits: Limits = field(default_factory=Limits)

    @staticmethod
    def open(folder: Path, allowed: Sequence[Path] = (), limits: Limits | None = None) -> Workspace:
        """The workspace in a folder, which is made where it is not there.

        Raises:
            UsageError: when the folder cannot be made, or an allowed one is none.
        """
        for each in allowed:
            if not each.is_dir():
                raise UsageError(f"{each}: there is no such folder to allow")
        try:
            (folder / "jobs").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{folder}: cannot be made: {error.strerror}") from error
        roots = tuple(each.resolve() for each in allowed)
        return Workspace(folder.resolve(), roots, limits or Limits())

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.folder / "protonet.sqlite"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other servers out of the workspace; the system lets go when this process ends.

        Raises:
            UsageError: when another server has it.
        """
        handle = os.open(self.folder / "serve.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UsageError(
                    f"{self.folder}: another protonet serve works in this folder; end that one, "
                    "or give this one a folder of its own: protonet serve DIR"
                ) from error
            yield
        finally:
            os.close(handle)

    def job(self, job_id: str) -> Path:
        """The folder of a job, there or not.

        Raises:
            UsageError: for what is no name of a job.
        """
        if not re.fullmatch(r"[a-z0-9-]{1,64}", job_id):
            raise UsageError("no such job")
        return self.folder / "jobs" / job_id

    def inside(self, name: str) -> Path:
        """The absolute path that a user's name means, if it may be looked at.

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
                f"{name}: lies outside the folders that this server may read ({known}); "
                "protonet serve --allow DIR adds one"
            )
        if any(_is_same(path, self.folder / own) for own in _OWN):
            raise UsageError(f"{name}: is the server's own and no data")
        return path


def _is_same(path: Path, own: Path) -> bool:
    """Whether both are one file, by its name or by a hard link."""
    return path == own or (path.exists() and own.exists() and path.samefile(own))

"""A task in a detached process, which records its exit code itself.

``protonet.jobs.tasks.worker`` reads the task from the job's folder and writes its exit code there.
While it runs it holds a lock on ``FOLDER/lock``, which it inherits locked and which has its pid: so
any server can tell whether it runs, and a later process with the same pid is not mistaken for it.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from protonet.formats.atomic import write_atomic
from protonet.jobs.tasks.worker import EXIT, LOCK, TASK

OUTPUT = "output.log"


class Detached(subprocess.Popen[bytes]):
    """A process that may outlive this object."""

    def __del__(self) -> None:
        """Poll it, without Popen's ResourceWarning if it still runs."""
        if getattr(self, "pid", None) is not None:
            self.poll()


def launch(folder: Path, task: str, memory: int) -> Detached:
    """Start a task in a new session, with ``folder`` as working directory.

    Args:
        folder: for task, output, lock and exit code.
        task: from ``jobs.tasks.task.write_task``.
        memory: limit of the address space in bytes, 0 for none.
    """
    (folder / EXIT).unlink(missing_ok=True)
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        write_atomic(folder / TASK, task.encode())
        with (folder / OUTPUT).open("ab") as output:
            return Detached(
                [sys.executable, "-m", "protonet.jobs.tasks.worker", str(folder), str(memory)],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[lock],
            )
    finally:
        os.close(lock)  # the child keeps it open


def is_alive(folder: Path) -> bool:
    """Whether the task of this folder still runs."""
    try:
        lock = os.open(folder / LOCK, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def pid_of(folder: Path) -> int | None:
    """The pid of the running task of this folder, or None."""
    try:
        pid = int((folder / LOCK).read_text())
    except (OSError, ValueError):
        return None
    return pid if is_alive(folder) else None


def send_signal(folder: Path, number: int) -> bool:
    """Send a signal to the process of this folder; False if none runs (yet)."""
    pid = pid_of(folder)
    if pid is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, number)
    return True


def read_exit(folder: Path) -> int | None:
    """The exit code of an ended task; None if it was killed, or still runs."""
    try:
        return int(json.loads((folder / EXIT).read_text())["code"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def last_complaint(folder: Path) -> str:
    """The last error message of the process: the lines from the last ``error:`` on."""
    try:
        with (folder / OUTPUT).open("rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - 20_000))
            lines = stream.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    starts = [at for at, line in enumerate(lines) if line.lower().startswith("error: ")]
    if not starts:
        return ""
    first = starts[-1]
    while first - 1 in starts:
        first -= 1
    return "\n".join(lines[first : first + 40])[len("error: ") :].strip()

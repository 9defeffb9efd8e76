"""A task in a process of its own, which says how it ended even when nobody waits for it.

``protonet.jobs.tasks.worker`` reads the task from the job's folder and writes its exit code there.
While it lives it holds a lock on ``FOLDER/lock``, which it inherits locked and which holds its pid:
so any server can tell whether it lives, and no process that was given the same pid later is taken
for it.
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
    """A process that lives on when nobody holds this any more, which is no mistake."""

    def __del__(self) -> None:
        """See whether it has ended, without the warning that is usual where it has not."""
        if getattr(self, "pid", None) is not None:
            self.poll()


def launch(folder: Path, task: str, memory: int) -> Detached:
    """Start a task in a session of its own, with ``folder`` for its place and its files.

    Args:
        folder: where task, output, lock and exit code go.
        task: what to do, as ``jobs.tasks.task.write_task`` has it.
        memory: the most bytes of addresses that it may take, 0 for any.
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
        os.close(lock)  # the child has it still


def is_alive(folder: Path) -> bool:
    """Whether a task that was launched in this folder still runs."""
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
    """The process of a task that was launched in this folder and runs; None where none does."""
    try:
        pid = int((folder / LOCK).read_text())
    except (OSError, ValueError):
        return None
    return pid if is_alive(folder) else None


def send_signal(folder: Path, number: int) -> bool:
    """Send a signal to the process of this folder; False where none runs, or not yet."""
    pid = pid_of(folder)
    if pid is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, number)
    return True


def read_exit(folder: Path) -> int | None:
    """The exit code of a task that has ended; None where it was killed, or still runs."""
    try:
        return int(json.loads((folder / EXIT).read_text())["code"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def last_complaint(folder: Path) -> str:
    """What the process said last of an error: the lines from the last ``error:`` on."""
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

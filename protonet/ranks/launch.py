"""The launcher of ranks on this machine: mpiexec, its signals, and what it says."""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Self

from protonet.errors import DeviceError, UsageError
from protonet.ranks.communicator import RESUMABLE
from protonet.ranks.mpi import MISSING

_PR_SET_PDEATHSIG = 1
SIGNS = "PROTONET_RANKS"
"""Variable with the folder of a pipe for each rank that `launch` starts."""
_LATE = 200
"""A file's number above those that mpiexec gives its ranks."""

_MORE_THAN_CORES: Mapping[str, str] = {
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}
"""Open MPI 4 and 5 start more ranks than there are cores only then; MPICH always does."""


@dataclass(frozen=True)
class Ended:
    """How ranks ended: the exit code, and a message if one of them was killed."""

    code: int
    message: str = ""


def leave_sign(rank: int) -> None:
    """Tell a launcher that waits for it the number of this process, and when it ends."""
    folder = os.environ.get(SIGNS)
    if folder is None:
        return
    with suppress(OSError):  # the launcher has ended, and mpiexec ends this process
        sign = os.open(Path(folder) / str(rank), os.O_WRONLY | os.O_NONBLOCK)
        os.write(sign, str(os.getpid()).encode())
        # Open until the end. Linux closes the files of a process that was killed from the last to
        # the first: mpiexec's connection, at which it ends the other ranks, must come later.
        fcntl.fcntl(sign, fcntl.F_DUPFD_CLOEXEC, _LATE)
        os.close(sign)


def launch(count: int, arguments: Sequence[str], remedy: str = RESUMABLE) -> Ended:
    """Run Python with ``arguments`` on ``count`` ranks of this machine, and pass signals on.
    ``remedy`` is what to do when one was killed.

    Raises:
        UsageError: without mpi4py or mpiexec.
    """
    beside = Path(sys.executable).with_name("mpiexec")
    mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
    if mpiexec is None:
        raise UsageError(MISSING)
    command = [mpiexec, "-n", str(count), sys.executable, *arguments]
    is_open = b"Open MPI" in subprocess.run([mpiexec, "--version"], capture_output=True).stdout
    with (
        tempfile.TemporaryDirectory(prefix="protonet-ranks-") as signs,
        _Watch(Path(signs), count) as watch,
        # A session of its own: Ctrl-C reaches this process, which passes it on.
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=end_with_parent if sys.platform == "linux" else None,
            env={**_MORE_THAN_CORES, **os.environ, **_terminal(), SIGNS: signs},
        ) as process,
        passing_on(partial(watch.send, process)),
    ):
        told = _Launcher(process, is_open=is_open).told()
        code = process.wait()
    return _ended(code, told, watch, remedy)


def _terminal() -> Mapping[str, str]:
    """Variables that tell rank 0 of the terminal which its output reaches through a pipe, so that
    it can draw a progress bar.
    """
    if not sys.stdout.isatty():
        return {}
    size = shutil.get_terminal_size()
    return {"FORCE_COLOR": "1", "COLUMNS": str(size.columns), "LINES": str(size.lines)}


def end_with_parent(number: signal.Signals = signal.SIGTERM) -> None:
    """In a new process: get a signal when the parent ends, also by a kill."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)


@contextmanager
def passing_on(
    send: Callable[[int], object],
    signals: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM),
) -> Iterator[None]:
    """In the block, pass signals on."""
    former = {s: signal.signal(s, lambda number, _: send(number)) for s in signals}
    try:
        yield
    finally:
        for each, handler in former.items():
            signal.signal(each, handler)


class _Launcher:
    """Separates what mpiexec says itself from the output of the ranks: lines of MPICH, and what
    stands between two rules of Open MPI.
    """

    _OWN = (b"=", b"YOUR APPLICATION", b"This typically", b"Please see", b"[proxy", b"[mpiexec",
            b"Abort(")  # fmt: skip

    def __init__(self, process: subprocess.Popen[bytes], *, is_open: bool) -> None:
        self._process, self._told = process, b""
        self._is_open, self._between_rules = is_open, set[int]()

    def told(self) -> bytes:
        """Copy the ranks' output to ours until it ends; return what mpiexec says."""
        process = self._process
        pairs = ((process.stdout, sys.stdout), (process.stderr, sys.stderr))
        threads = [
            threading.Thread(target=self._copy, args=(stream, target.fileno()))
            for stream, target in pairs
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self._told

    def _copy(self, stream: IO[bytes], target: int) -> None:
        begun, rest = False, b""
        while chunk := os.read(stream.fileno(), 65536):
            *lines, rest = (rest + chunk).splitlines(keepends=True) or [b""]
            if rest.endswith(b"\n"):
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._take(line, target, begun=begun)
                begun = False
            if rest and (begun or not self._is_own(rest, target)):
                # Such as a progress bar: shown before its line ends.
                os.write(target, rest)
                begun, rest = True, b""
        self._take(rest, target, begun=begun)

    def _take(self, line: bytes, target: int, *, begun: bool) -> None:
        if self._is_own(line, target) and not begun:
            self._told += line
            if self._is_open and line.startswith(_RULE):
                self._between_rules ^= {target}
        else:
            os.write(target, line)

    def _is_own(self, line: bytes, target: int) -> bool:
        if not self._is_open:
            return line.startswith(self._OWN)
        begins = not line.endswith(b"\n") and _RULE.startswith(line)
        # Behind an MPI_Abort Open MPI writes a zero byte.
        return target in self._between_rules or begins or line.startswith(_RULE) or line == b"\0"


class _Watch:
    """Watches which rank ends first: mpiexec kills the others, and names any of them.

    Each rank holds a pipe open. Process descriptors would come in another order, for they tell of a
    process once all of it is gone, and mpiexec ends the other ranks before that.
    """

    def __init__(self, signs: Path, count: int) -> None:
        self._first: int | None = None
        self._pids: list[int | None] = [None] * count
        paths = [signs / str(rank) for rank in range(count)]
        for path in paths:
            os.mkfifo(path)
        self._pipes = [os.open(path, os.O_RDONLY | os.O_NONBLOCK) for path in paths]
        self._over, self._end = os.pipe()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._end)
        self._thread.join()
        self._known()
        for each in (*self._pipes, self._over):
            os.close(each)

    def send(self, launcher: subprocess.Popen[bytes], number: int) -> None:
        """Send a signal to all ranks, for not every mpiexec passes it on; before they are known,
        to that.
        """
        if not self._known():
            launcher.send_signal(number)
            return
        for pid in filter(None, self._pids):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def first(self, told: int) -> tuple[str, int]:
        """Rank and process that ended first; of the process that mpiexec tells of if one ended
        before it left its sign, with "?" for that.
        """
        if self._first is not None and None not in self._pids:
            return str(self._first), self._pids[self._first] or told
        return str(self._pids.index(told)) if told in self._pids else "?", told

    def _known(self) -> bool:
        """Read the numbers of the processes; whether all are known."""
        for rank, pipe in enumerate(self._pipes):
            if self._pids[rank] is None:
                with suppress(BlockingIOError):  # nothing has come
                    self._pids[rank] = int(os.read(pipe, 32) or 0) or None
        return None not in self._pids

    def _watch(self) -> None:
        with suppress(AttributeError), select.epoll() as events:  # there is none but on Linux
            for each in (*self._pipes, self._over):
                events.register(each, select.EPOLLHUP)
            # They come in the order in which the ends happened, however late this thread looks.
            ended = events.poll(maxevents=1)[0][0]
            self._first = self._pipes.index(ended) if ended in self._pipes else None


_KILLS = (
    rb"PID (?P<pid>\d+) RUNNING AT (?P<host>\S+)(?s:.*)EXIT STRING: .*signal (?P<signal>\d+)",
    rb"process rank \d+ with PID (?P<pid>\d+) on node (?P<host>\S+) exited on\s+"
    rb"signal (?P<signal>\d+)",
)
"""What MPICH and Open MPI say of a rank that was killed."""

_RULE = 74 * b"-"
"""Of Open MPI, around each of its messages."""

_KNOWN = (b"MPI_ABORT was invoked", b"exited due to process", b"non-zero")
"""What Open MPI says of ranks whose message has been shown."""


def _ended(code: int, told: bytes, watch: _Watch, remedy: str) -> Ended:
    """The exit code; a rank that was killed is named."""
    dead = next(filter(None, (re.search(each, told) for each in _KILLS)), None)
    if dead is None or b"Abort(" in told:
        for each in told.split(_RULE)[1::2]:
            if not any(known in each for known in _KNOWN):
                sys.stderr.write(each.decode(errors="replace").strip() + "\n")
        return Ended(code)
    host, number = dead["host"].decode(), int(dead["signal"])
    rank, pid = watch.first(int(dead["pid"]))
    return Ended(
        DeviceError.exit_code,
        f"rank {rank} on {host} (process {pid}) was ended by "
        f"{signal.Signals(number).name}; {remedy}",
    )

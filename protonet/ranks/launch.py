"""The launcher of ranks on this machine: mpiexec, its signals, and what it says."""

from __future__ import annotations

import ctypes
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from protonet.errors import DeviceError, UsageError
from protonet.ranks.communicator import RESUMABLE
from protonet.ranks.mpi import MISSING

_PR_SET_PDEATHSIG = 1
SIGNS = "PROTONET_RANKS"
"""Variable with the folder in which ranks that `launch` starts leave their process numbers."""


@dataclass(frozen=True)
class Ended:
    """How ranks ended: the exit code, and a message if one of them was killed."""

    code: int
    message: str = ""


def leave_sign(rank: int) -> None:
    """Tell a launcher that waits for it which rank this process is."""
    if folder := os.environ.get(SIGNS):
        (Path(folder) / str(os.getpid())).write_text(str(rank), encoding="ascii")


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
    with (
        tempfile.TemporaryDirectory(prefix="protonet-ranks-") as signs,
        # A session of its own: Ctrl-C reaches this process, which passes it on.
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=end_with_parent if sys.platform == "linux" else None,
            env={**os.environ, **_terminal(), SIGNS: signs},
        ) as process,
        passing_on(process),
    ):
        with _Watch(Path(signs), count) as watch:
            told = _Launcher(process).told()
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
    process: subprocess.Popen[bytes],
    signals: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM),
) -> Iterator[None]:
    """In the block, pass signals on; mpiexec tells them to all ranks."""
    former = {s: signal.signal(s, lambda number, _: process.send_signal(number)) for s in signals}
    try:
        yield
    finally:
        for each, handler in former.items():
            signal.signal(each, handler)


class _Launcher:
    """Separates what mpiexec of MPICH says itself from the output of the ranks."""

    _OWN = (b"=", b"YOUR APPLICATION", b"This typically", b"Please see", b"[proxy", b"[mpiexec",
            b"Abort(")  # fmt: skip

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process, self._told = process, b""

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
            if rest and (begun or not rest.startswith(self._OWN)):
                # Such as a progress bar: shown before its line ends.
                os.write(target, rest)
                begun, rest = True, b""
        self._take(rest, target, begun=begun)

    def _take(self, line: bytes, target: int, *, begun: bool) -> None:
        if line.startswith(self._OWN) and not begun:
            self._told += line
        else:
            os.write(target, line)


class _Watch:
    """Watches which rank ends first: mpiexec kills the others, and names any of them."""

    def __init__(self, signs: Path, count: int) -> None:
        self.first: int | None = None
        self._signs, self._count = signs, count
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def rank_of(self, pid: int) -> str:
        """The rank of a process; "?" if it ended before it told."""
        with suppress(OSError):
            return (self._signs / str(pid)).read_text(encoding="ascii") or "?"
        return "?"

    def _watch(self) -> None:
        pids: dict[int, int] = {}
        try:
            # Its events come in the order in which ranks ended, however late this thread looks.
            with select.epoll() as events:
                while self.first is None:
                    over = self._over.is_set()
                    if len(pids) < self._count:
                        self._register(events, pids)
                    ended = events.poll(0 if over else 0.05, maxevents=1)
                    self.first = pids[ended[0][0]] if ended else None
                    if over:
                        return
        except (OSError, AttributeError):  # it has ended already; no Linux
            return
        finally:
            for descriptor in pids:
                os.close(descriptor)

    def _register(self, events: select.epoll, pids: dict[int, int]) -> None:
        """Watch the ranks which have left their sign meanwhile."""
        for sign in self._signs.iterdir():
            pid = int(sign.name)
            if pid not in pids.values() and sign.stat().st_size:
                descriptor = os.pidfd_open(pid)
                pids[descriptor] = pid
                events.register(descriptor, select.EPOLLIN)


def _ended(code: int, told: bytes, watch: _Watch, remedy: str) -> Ended:
    """The exit code; a rank that was killed is named."""
    dead = re.search(rb"PID (\d+) RUNNING AT (\S+)", told)
    how = re.search(rb"EXIT STRING: .*signal (\d+)", told)
    if dead is None or how is None or b"Abort(" in told:
        return Ended(code)
    host, number = dead[2].decode(), int(how[1])
    pid = int(dead[1]) if watch.first is None else watch.first
    return Ended(
        DeviceError.exit_code,
        f"rank {watch.rank_of(pid)} on {host} (process {pid}) was ended by "
        f"{signal.Signals(number).name}; {remedy}",
    )

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
"""Variable with the folder in which ranks that `launch` starts leave their process numbers."""

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
    is_open = b"Open MPI" in subprocess.run([mpiexec, "--version"], capture_output=True).stdout
    with tempfile.TemporaryDirectory(prefix="protonet-ranks-") as signs:
        with (
            # A session of its own: Ctrl-C reaches this process, which passes it on.
            subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                preexec_fn=end_with_parent if sys.platform == "linux" else None,
                env={**_MORE_THAN_CORES, **os.environ, **_terminal(), SIGNS: signs},
            ) as process,
            _Watch(Path(signs), count) as watch,
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

    def send(self, launcher: subprocess.Popen[bytes], number: int) -> None:
        """Send a signal to all ranks, for not every mpiexec passes it on; before they are known,
        to that.
        """
        ranks = [int(sign.name) for sign in self._signs.iterdir()]
        if len(ranks) < self._count:
            launcher.send_signal(number)
            return
        for pid in ranks:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

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
    pid = int(dead["pid"]) if watch.first is None else watch.first
    return Ended(
        DeviceError.exit_code,
        f"rank {watch.rank_of(pid)} on {host} (process {pid}) was ended by "
        f"{signal.Signals(number).name}; {remedy}",
    )

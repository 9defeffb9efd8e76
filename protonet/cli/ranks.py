"""Training on several ranks: the launcher of ``--ranks``, and how errors end all of them."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NoReturn, Self

import click

from protonet.cli.terminal import complain, note
from protonet.errors import DeviceError, TrainingError, UsageError
from protonet.jobs.tasks.failures import REPORTED, failure_of
from protonet.ranks.communicator import Communicator
from protonet.ranks.mpi import MISSING, communicator, number_of_ranks
from protonet.train.interrupts import INTERRUPTED, Interrupts

_SAME_ERROR = 1.0
"""Seconds that other ranks wait: an error that all have is told by rank 0, and ends them."""
_SIGNS = "PROTONET_RANKS"
"""Variable with the folder in which ranks that `launch` starts leave their process numbers."""


def _join(ctx: click.Context, ranks: Communicator, effects: tuple[str, str]) -> NoReturn:
    """Take part in the trainings of rank 0, then exit as it does."""
    from protonet.jobs.training.join import join

    code = 0
    with ending_together(ranks):
        while (invitation := ranks.broadcast(None)) is not None:
            with Interrupts(*effects, silent=True) as interrupts, suppress(TrainingError):
                outcome = join(ranks, invitation, on_trainer=interrupts.watch)
                code = INTERRUPTED if outcome.result.interrupted else 0
    ctx.exit(code)


@contextmanager
def ending_together(ranks: Communicator) -> Iterator[None]:
    """End all ranks when the block fails on one, with its message and exit code."""
    try:
        yield
    except BaseException as error:
        if ranks.alone or isinstance(error, click.exceptions.Exit):
            raise
        if ranks.rank:
            time.sleep(_SAME_ERROR)
        ranks.end_all(_tell(error, ranks))


def _tell(error: BaseException, ranks: Communicator) -> int:
    """Report an error, with its rank unless it is rank 0; return the exit code."""
    if not isinstance(error, REPORTED):
        traceback.print_exception(error)
        return 1
    failure = failure_of(error)
    where = f"rank {ranks.rank} on {ranks.host}: " if ranks.rank else ""
    for message in failure.errors:
        complain(f"{where}{message}")
    for remark in failure.remarks:
        note(remark)
    return failure.code


def ranks_of(ctx: click.Context, wanted: int | None, effects: tuple[str, str]) -> Communicator:
    """The ranks that this process was started with, if it is rank 0. Without any, start those
    ``wanted``, and exit as they do; on another rank, take part and exit.

    ``effects`` are of the signals SIGINT and SIGHUP.
    """
    if wanted is not None and wanted > 1 and number_of_ranks() == 1:
        ctx.exit(launch(wanted))
    ranks = communicator()
    if folder := os.environ.get(_SIGNS):
        (Path(folder) / str(os.getpid())).write_text(str(ranks.rank), encoding="ascii")
    if ranks.rank:
        _join(ctx, ranks, effects)
    return ranks


def launch(count: int) -> int:
    """Run this command on ``count`` ranks of this machine; return the exit code.

    Raises:
        UsageError: without mpi4py or mpiexec.
    """
    beside = Path(sys.executable).with_name("mpiexec")
    mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
    if mpiexec is None:
        raise UsageError(MISSING)
    with tempfile.TemporaryDirectory(prefix="protonet-ranks-") as signs:
        # A session of its own: Ctrl-C reaches this process, which passes it on.
        process = subprocess.Popen(
            [mpiexec, "-n", str(count), sys.executable, *_command(), *sys.argv[1:]],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, _SIGNS: signs},
        )
        with _passing_on(process), _Watch(Path(signs), count) as watch:
            told = _Launcher(process).told()
            return _ended(process.wait(), told, watch)


def _command() -> list[str]:
    """The arguments of Python for this command."""
    called = Path(sys.argv[0])
    return [str(called)] if called.suffix != ".py" and called.exists() else ["-m", "protonet"]


@contextmanager
def _passing_on(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """In the block, pass signals on; mpiexec tells them to all ranks."""
    signals = (signal.SIGINT, signal.SIGTERM)
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
        self.ranks: dict[int, str] = {}
        self._signs, self._count = signs, count
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        pids: dict[int, int] = {}
        poll = select.poll()
        try:
            while not self._over.is_set() and self.first is None:
                if len(pids) < self._count:
                    for sign in self._signs.iterdir():
                        pid = int(sign.name)
                        if pid not in pids.values() and sign.stat().st_size:
                            self.ranks[pid] = sign.read_text(encoding="ascii")
                            descriptor = os.pidfd_open(pid)
                            pids[descriptor] = pid
                            poll.register(descriptor, select.POLLIN)
                ready = poll.poll(50)
                self.first = pids[ready[0][0]] if ready else None
        except (OSError, AttributeError):  # it has ended already; no Linux
            return
        finally:
            for descriptor in pids:
                os.close(descriptor)


def _ended(code: int, told: bytes, watch: _Watch) -> int:
    """The exit code; a rank that was killed is named."""
    dead = re.search(rb"PID (\d+) RUNNING AT (\S+)", told)
    how = re.search(rb"EXIT STRING: .*signal (\d+)", told)
    if dead is None or how is None or b"Abort(" in told:
        return code
    host, number = dead[2].decode(), int(how[1])
    pid = int(dead[1]) if watch.first is None else watch.first
    rank = watch.ranks.get(pid, "?")
    complain(
        f"rank {rank} on {host} (process {pid}) was ended by {signal.Signals(number).name}; all "
        "ranks were stopped: --resume continues from the newest snapshot"
    )
    return DeviceError.exit_code

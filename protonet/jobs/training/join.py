"""Take part in a training as one of several ranks, and end together with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import protonet
from protonet.data.shards import Survey
from protonet.device import Device
from protonet.errors import DataError, DeviceError, TrainingError, UsageError
from protonet.jobs.definitions.paths import inputs_of, shards_of
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.fingerprint import Fingerprint, fingerprint_text, fingerprints
from protonet.jobs.run.settings import RunSettings, SolverSettings
from protonet.jobs.training.reopen import reopen
from protonet.jobs.training.session import Job, OnTrainer
from protonet.proto.text import Source, read_net
from protonet.ranks.communicator import RESUMABLE, Communicator
from protonet.ranks.devices import device_of
from protonet.train.interrupts import INTERRUPTED, Interrupts
from protonet.train.trainer import Result

_SAME_ERROR = 1.0
"""Seconds that other ranks wait: an error that all have is told by rank 0, and ends them."""

Tell = Callable[[BaseException, str], int]
"""Reports an error, with the rank that it was raised on unless it is rank 0; the exit code."""


@dataclass(frozen=True)
class Outcome:
    """A finished or stopped training: its directory, its result, and notes for the user."""

    run: RunDirectory
    result: Result
    notes: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The result as one line."""
        if self.result.interrupted:
            return f"stopped after {self.result.iteration} iterations"
        return f"trained {self.result.iteration} iterations, loss {self.result.loss:.6g}"


@dataclass(frozen=True)
class Invitation:
    """What rank 0 tells the others: the run, its settings, the state to continue from; and what
    they must have as well: the version of protonet, the net, and what it reads.
    """

    run: Path
    settings: RunSettings | SolverSettings
    state: Path | None
    version: str
    inputs: tuple[Fingerprint, ...]


def invite(
    ranks: Communicator,
    run: RunDirectory,
    settings: RunSettings | SolverSettings,
    state: Path | None = None,
) -> list[str]:
    """Let the other ranks ``join`` a run whose files are complete; return notes on shards of theirs
    that have changed since the run began.

    Raises:
        DeviceError: for fewer GPUs than ranks of a host.
    """
    if ranks.alone:
        return []
    told = (protonet.__version__, _inputs(run))
    ranks.broadcast(Invitation(run.path.resolve(), settings, state, *told))
    device_of(settings.device, ranks)
    before = {each.path: each for each in run.record().shards}
    now = [each for shards in ranks.gather(_shards(run, ranks)) for each in shards]
    if now:
        run.update(shards=tuple(now))
    return [
        f"{each.path} has changed since the run began, so the result may differ"
        for each in now
        if not each.is_of(before.get(each.path, each))
    ]


def join(
    ranks: Communicator, invitation: Invitation, *, on_trainer: OnTrainer | None = None
) -> Outcome:
    """Train the run of an invitation, which every rank must see.

    Raises:
        UsageError, DataError: when this rank has other files, or another version.
        As ``start``.
    """
    settings, run = invitation.settings, RunDirectory.open(invitation.run)
    _compare(invitation, run)
    files = reopen(run).files
    device = Device(device_of(settings.device, ranks), tf32=settings.tf32)
    ranks.gather(_shards(run, ranks))
    with Job(run, files, settings, device, ranks) as job:
        job.begin(invitation.state)
        return Outcome(run, job.train((), on_trainer))


def take_part(
    ranks: Communicator, tell: Tell, effects: tuple[str, str] = ("stop", "snapshot")
) -> int:
    """Take part in the trainings of rank 0 until it has no more; return the exit code.

    ``effects`` are of the signals SIGINT and SIGHUP.
    """
    code = 0
    with ending_together(ranks, tell):
        while (invitation := ranks.broadcast(None)) is not None:
            if isinstance(invitation, Survey):
                invitation.answer(ranks)
                continue
            with Interrupts(*effects, silent=True) as interrupts, suppress(TrainingError):
                outcome = join(ranks, invitation, on_trainer=interrupts.watch)
                code = INTERRUPTED if outcome.result.interrupted else 0
    return code


@contextmanager
def ending_together(ranks: Communicator, tell: Tell, remedy: str = RESUMABLE) -> Iterator[None]:
    """End all ranks when the block fails on one, with its message and exit code. ``remedy`` is what
    to do when the network failed.
    """
    try:
        yield
    except BaseException as error:
        if ranks.alone:
            raise
        if ranks.rank:
            time.sleep(_SAME_ERROR)
        if isinstance(error, ranks.failures):
            error = DeviceError(f"the ranks cannot reach each other any more: {error}; {remedy}")
        where = f"rank {ranks.rank} on {ranks.host}: " if ranks.rank else ""
        ranks.end_all(tell(error, where))


def watch(ranks: Communicator, tell: Tell, remedy: str = RESUMABLE) -> None:
    """From now on end all ranks when the machine of one cannot be reached; ``remedy`` is what to
    do then.
    """

    def end(message: str) -> None:
        ranks.end_all(tell(DeviceError(f"{message}; {remedy}"), ""))

    ranks.watch(end, DeviceError.exit_code)


def _inputs(run: RunDirectory) -> tuple[Fingerprint, ...]:
    """The net of a run and what it reads, as this rank sees them."""
    source = Source.read(run.train_val)
    files = fingerprints(inputs_of([read_net(source).net]))
    return (fingerprint_text(source), *files)


def _shards(run: RunDirectory, ranks: Communicator) -> list[Fingerprint]:
    """The databases that this rank has for itself."""
    found = fingerprints(shards_of([read_net(Source.read(run.train_val)).net], ranks))
    return [replace(each, path=f"{each.path} on {ranks.host}") for each in found]


def _compare(invitation: Invitation, run: RunDirectory) -> None:
    """Refuse what is not that of rank 0."""
    if protonet.__version__ != invitation.version:
        raise UsageError(
            f"protonet is {protonet.__version__} here, and {invitation.version} on rank 0"
        )
    for ours, theirs in zip(_inputs(run), invitation.inputs, strict=False):
        if not ours.is_of(theirs):
            raise DataError(
                f"{ours.path}: differs from that of rank 0: {ours.bytes:,} bytes with SHA-256 "
                f"{ours.sha256[:12]}, there {theirs.bytes:,} bytes with {theirs.sha256[:12]}"
            )

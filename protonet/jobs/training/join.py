"""Take part in a training as one of several ranks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from protonet.device import Device
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.settings import RunSettings, SolverSettings
from protonet.jobs.training.reopen import reopen
from protonet.jobs.training.session import Job, OnTrainer
from protonet.ranks.communicator import Communicator
from protonet.train.trainer import Result


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
    """What rank 0 tells the others: the run, its settings, and the state to continue from."""

    run: Path
    settings: RunSettings | SolverSettings
    state: Path | None


def invite(
    ranks: Communicator,
    run: RunDirectory,
    settings: RunSettings | SolverSettings,
    state: Path | None = None,
) -> None:
    """Let the other ranks ``join`` a run whose files are complete."""
    ranks.broadcast(Invitation(run.path.resolve(), settings, state))


def join(
    ranks: Communicator, invitation: Invitation, *, on_trainer: OnTrainer | None = None
) -> Outcome:
    """Train the run of an invitation, which every rank must see.

    Raises:
        As ``start``.
    """
    settings, run = invitation.settings, RunDirectory.open(invitation.run)
    files = reopen(run).files
    device = Device(settings.device, tf32=settings.tf32)
    with Job(run, files, settings, device, ranks) as job:
        job.begin(invitation.state)
        return Outcome(run, job.train((), on_trainer))

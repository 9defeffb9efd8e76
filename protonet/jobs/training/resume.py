"""Resume a run from its newest snapshot, with changed options."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from protonet.device import Device
from protonet.errors import UsageError
from protonet.formats.atomic import remove_partial, write_atomic
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.record import RunRecord
from protonet.jobs.run.settings import RunSettings, SolverSettings
from protonet.jobs.training.join import Outcome, invite
from protonet.jobs.training.prolong import Length, change_length, finish_writing
from protonet.jobs.training.reopen import Reopened, reopen
from protonet.jobs.training.session import Job, OnTrainer
from protonet.ranks.communicator import ALONE, Communicator
from protonet.ranks.devices import first_device
from protonet.train.events import Listener
from protonet.train.listeners import read_metrics
from protonet.train.snapshot import Snapshots


@dataclass(frozen=True, kw_only=True)
class ResumeOptions:
    """Options for a resumed run; None for those of the run.

    ``moved`` has the new paths of moved databases by the name of the setting, such as ``val_data``.
    ``memory_limit``, ``recompute``, ``fuse``, ``tf32`` and ``precision`` are those of
    ``RunSettings``; ``tf32`` applies to GPUs only, so a run resumed on the CPU loses it. ``epochs``
    is a new length for a run of a pasted network, ``max_iter`` for one of a solver file; see
    ``jobs.training.prolong`` for the learning rate.
    """

    device: str | None = None
    moved: Mapping[str, Path] = field(default_factory=dict)
    memory_limit: int | None = None
    recompute: bool | None = None
    fuse: bool | None = None
    tf32: bool | None = None
    precision: str | None = None
    epochs: float | None = None
    max_iter: int | None = None

    @property
    def length(self) -> Length:
        """The new length."""
        return Length(epochs=self.epochs, max_iter=self.max_iter)

    def device_of(self, settings: RunSettings | SolverSettings) -> str:
        """The device to train on: by default that of the run."""
        return settings.device if self.device is None else self.device

    def put(self, settings: RunSettings | SolverSettings) -> RunSettings | SolverSettings:
        """A run's settings with these options, except the device, which stays."""
        on_gpu = self.device_of(settings) != "cpu"
        given: dict[str, Any] = {
            "memory_limit": self.memory_limit,
            "recompute": self.recompute,
            "fuse": self.fuse,
            "tf32": self.tf32 if self.tf32 is not None else settings.tf32 and on_gpu,
            "precision": self.precision,
        }
        return replace(settings, **{k: value for k, value in given.items() if value is not None})


_NONE = ResumeOptions()


def resume(
    path: Path,
    changes: ResumeOptions = _NONE,
    *,
    listeners: Sequence[Listener] = (),
    on_trainer: OnTrainer | None = None,
    ranks: Communicator = ALONE,
) -> Outcome:
    """Resume a run from its newest complete snapshot, or from the beginning without one.

    On the CPU the result is bit-identical to that of an uninterrupted run.

    ``listeners`` get every event, in addition to the run's own; ``on_trainer`` is called with the
    trainer before the loop begins.

    Raises:
        UsageError: when the run is finished, is trained by another process, or is not a run; when
        more iterations are done than a new length has.
        DataError: when a database no longer exists.
    """
    run, length = RunDirectory.open(path), changes.length
    with run.held(), ExitStack() as stack:
        length.check(run)
        finish_writing(run)
        found = reopen(run, changes.moved)
        newest = _newest(run, found, length)
        _remove_torn(run, run.snapshots())
        settings = _among(ranks, changes.put(found.record.settings))
        there = replace(settings, device=changes.device_of(settings))
        processor = Device(first_device(there.device, ranks), tf32=settings.tf32)
        run.update(settings=settings)
        changed = invite(ranks, run, there, state := _state(run, found.record, newest))
        job = stack.enter_context(Job(run, found.files, settings, processor, ranks))
        job.begin(state)
        notes = [*found.notes, *changed, *_told(newest, found.record.settings, ranks.size)]
        if length:
            notes.append(change_length(run, found.files.solver, length, job.trainer))
        _rewind_metrics(run, newest, job.trainer.per_epoch)
        run.update(status="run", error=None, resumed_at=newest)
        return Outcome(run, job.train(listeners, on_trainer), tuple(notes))


def _newest(run: RunDirectory, found: Reopened, length: Length) -> int:
    """The iteration of the newest snapshot, 0 for none.

    Raises:
        UsageError: when the run is finished and has no new length.
    """
    done = run.iterations()
    newest = done[-1] if done else 0
    last, record = found.files.solver.max_iter, found.record
    if record.iteration is not None:
        last = min(last, record.iteration)  # early stopping may end it before
    if newest >= last and record.status == "done" and not length:
        option = "--max-iter N" if record.kind == "solver" else "--epochs N"
        raise UsageError(
            f"{run.path}: this run is finished ({newest} iterations); {option} makes it longer"
        )
    return newest


def _among(
    ranks: Communicator, settings: RunSettings | SolverSettings
) -> RunSettings | SolverSettings:
    """The settings with the ranks that there are now."""
    return replace(settings, ranks=None).on_ranks(ranks.size)


def _told(newest: int, former: RunSettings | SolverSettings, ranks: int) -> list[str]:
    """Where a run was resumed, and by other ranks than it had."""
    at = f"resumed at iteration {newest}" if newest else "no snapshot yet: from the beginning"
    before = former.ranks or 1
    if not newest or before == ranks:
        return [at]
    each = isinstance(former, SolverSettings) and former.batch_per_rank
    same = (
        "each has the batch of the text, so the whole batch is another"
        if each
        else ("the same numbers up to rounding")
    )
    return [at, f"{_ranks(before)} until then, {_ranks(ranks)} now: {same}"]


def _ranks(count: int) -> str:
    return "1 rank" if count == 1 else f"{count} ranks"


def _state(run: RunDirectory, record: RunRecord, newest: int) -> Path | None:
    """The state of an iteration's snapshot, or with which the run began; None for no state."""
    if newest:
        return run.snapshots().state(newest)
    return None if record.began_with is None else Path(record.began_with)


def _remove_torn(run: RunDirectory, snapshots: Snapshots) -> None:
    """Remove files that a killed process left half written, but none of other runs."""
    remove_partial(run.path)
    prefix = snapshots.prefix
    for left in prefix.parent.glob(f".{prefix.name}_iter_*.????????.part"):
        left.unlink(missing_ok=True)


def _rewind_metrics(run: RunDirectory, iteration: int, per_epoch: float | None) -> None:
    """Drop the lines of iterations that the resumed run repeats.

    The line of the snapshot itself may be missing: the process may be killed between the two.
    """
    lines = read_metrics(run.metrics)
    kept = [line for line in lines if line["iteration"] < iteration]
    if iteration:
        snapshots = run.snapshots()
        kept.append(
            {
                "event": "snapshotted",
                "iteration": iteration,
                "epoch": None if per_epoch is None else iteration / per_epoch,
                "model": snapshots.model(iteration).name,
                "state": snapshots.state(iteration).name,
            }
        )
    write_atomic(run.metrics, "".join(json.dumps(line) + "\n" for line in kept).encode())

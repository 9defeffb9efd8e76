"""Training as a job: a run directory from a pasted network or from Caffe's solver files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from protonet.data.create import Progress
from protonet.device import Device
from protonet.errors import NetworkError, UsageError
from protonet.formats.atomic import remove_partial, write_atomic
from protonet.jobs.definitions.solver_files import SolverFiles
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.record import RunRecord
from protonet.jobs.run.settings import RunSettings, SolverSettings
from protonet.jobs.training.new_run import check_databases, run_name, write_run
from protonet.jobs.training.new_solver_run import write_solver_run
from protonet.jobs.training.prolong import Length, finish_writing, give_length
from protonet.jobs.training.reopen import Reopened, reopen
from protonet.jobs.training.session import Job, Watch
from protonet.proto.ignored import ignored_notes
from protonet.proto.text import NetDefinition
from protonet.solvers.check import check_solver
from protonet.train.events import Listener
from protonet.train.listeners import read_metrics
from protonet.train.snapshot import Snapshots
from protonet.train.trainer import Result

_FILES_OWN = SolverSettings()
_OF_VECTORS = {"EuclideanLoss", "L1Loss", "SmoothL1Loss", "SigmoidCrossEntropyLoss"}
"""Losses whose targets are vectors."""


@dataclass(frozen=True)
class Outcome:
    """A finished or stopped training: its directory, how it ended, and what is to be told."""

    run: RunDirectory
    result: Result
    notes: tuple[str, ...] = ()


def start(
    pasted: NetDefinition,
    settings: RunSettings,
    *,
    listeners: Sequence[Listener] = (),
    watch: Watch | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Train a pasted network in a new run directory.

    ``progress`` is told of the images whose mean is taken first.

    Everything is checked before training begins: mistakes in the network or the databases leave
    no directory behind.

    Raises:
        NetworkError, DataError, UsageError, DeviceError: before the training.
        TrainingError: when the loss is no longer finite; the directory stays.
    """
    told = check_databases(settings)
    device = Device(settings.device, tf32=settings.tf32)
    with ExitStack() as stack:
        with _new_run(settings.out, run_name(pasted), stack) as run:
            with _hinting(pasted, settings):
                files, notes = write_run(run, pasted, settings, progress)
            notes = [*ignored_notes(pasted.net), *told, *notes]
            job = stack.enter_context(Job(run, files, settings, device))
            notes += job.load(files.solver)
            run.update(status="run")
        return Outcome(run, job.train(listeners, watch), tuple(notes))


@contextmanager
def _hinting(pasted: NetDefinition, settings: RunSettings) -> Iterator[None]:
    """Say what a net that learns vectors may lack where its text does not fit the data."""
    try:
        yield
    except NetworkError as error:
        types = {layer.type for layer in pasted.net.layer}
        if settings.labels is None and types & _OF_VECTORS:
            error.add_note(
                "without --labels the label is one class number of each image; a database of "
                "label vectors is given by --labels"
            )
        raise


def start_solver(
    path: Path,
    settings: SolverSettings = _FILES_OWN,
    *,
    listeners: Sequence[Listener] = (),
    watch: Watch | None = None,
) -> Outcome:
    """Train what one of Caffe's solver files says.

    Files that the texts name are looked up in the working directory, as Caffe does, then beside
    the text. Snapshots go where ``snapshot_prefix`` says; the run directory has the rest.

    Raises:
        As ``start``; FormatError for weights or a state that do not fit.
    """
    files = SolverFiles.read(path)
    settings.put(files.solver)
    check_solver(files.solver)
    if settings.early_stop is not None and not files.tests:
        raise UsageError(f"early stop needs a test net, and {path} names none")
    processor = Device(settings.device, tf32=settings.tf32)
    if settings.seed is None:
        settings = replace(settings, seed=max(0, files.solver.random_seed))
    with ExitStack() as stack:
        with _new_run(settings.out, run_name(files.train), stack) as run:
            files, notes = write_solver_run(run, path, files, settings)
            job = stack.enter_context(Job(run, files, settings, processor))
            notes += job.load(files.solver)
            if settings.snapshot is not None:
                state = settings.snapshot
                job.trainer.restore(state)
                notes.append(f"goes on from {state}, iteration {job.trainer.iteration}")
                run.update(began_with=str(state.resolve()))
            run.update(status="run")
        return Outcome(run, job.train(listeners, watch), tuple(notes))


def resume(
    path: Path,
    *,
    device: str | None = None,
    moved: Mapping[str, Path] | None = None,
    memory_limit: int | None = None,
    recompute: bool | None = None,
    fuse: bool | None = None,
    tf32: bool | None = None,
    precision: str | None = None,
    epochs: float | None = None,
    max_iter: int | None = None,
    listeners: Sequence[Listener] = (),
    watch: Watch | None = None,
) -> Outcome:
    """Go on with a run from its newest whole snapshot, or from the beginning without one.

    On the CPU the result has the same bits as that of a run that was never stopped.

    Args:
        path: the run directory.
        device: where to train; by default where the run was.
        moved: databases that are elsewhere now, by the name of the setting, such as ``val_data``.
        memory_limit: bytes that it may take; by default what the run says.
        recompute: whether to take less memory and more time; by default what the run says.
        fuse: whether layers compute those behind them; by default what the run says.
        tf32: whether products may be made in TF32; by default what the run says, on a GPU.
        precision: the type of blobs and gradients; by default what the run says.
        epochs: another length for a run of a pasted network; by default that of the run.
            ``jobs.training.prolong`` says what becomes of the learning rate.
        max_iter: another length for a run of a solver file.
        listeners: told of every event, beside those of the run itself.
        watch: called with the trainer, which signals may stop.

    Raises:
        UsageError: when the run is finished, is at work in another process, or is no run; when
            more is trained than another length has.
        DataError: when a database is no longer there.
    """
    run, length = RunDirectory.open(path), Length(epochs=epochs, max_iter=max_iter)
    with run.held(), ExitStack() as stack:
        length.check(run)
        finish_writing(run)
        found = reopen(run, moved)
        newest = _newest(run, found, length)
        _remove_torn(run, run.snapshots())
        before = found.record.settings
        where = device if device is not None else before.device
        given: dict[str, Any] = {
            "memory_limit": memory_limit,
            "recompute": recompute,
            "fuse": fuse,
            "tf32": tf32 if tf32 is not None else before.tf32 and where != "cpu",
            "precision": precision,
        }
        changed = {name: value for name, value in given.items() if value is not None}
        settings: RunSettings | SolverSettings = replace(before, **changed)
        processor = Device(where, tf32=settings.tf32)
        run.update(settings=settings)
        job = stack.enter_context(Job(run, found.files, settings, processor))
        _restore(job, found.record, newest)
        told = f"resumed at iteration {newest}" if newest else "no snapshot yet: from the start"
        notes = [*found.notes, told]
        if length:
            notes.append(give_length(run, found.files.solver, length, job.trainer))
        _rewind_metrics(run, newest, job.trainer.per_epoch)
        run.update(status="run", error=None, resumed_at=newest)
        return Outcome(run, job.train(listeners, watch), tuple(notes))


def _newest(run: RunDirectory, found: Reopened, length: Length) -> int:
    """The iteration of the newest snapshot, 0 for none.

    Raises:
        UsageError: when the run is finished and is to be no longer.
    """
    done = run.iterations()
    newest = done[-1] if done else 0
    last, record = found.files.solver.max_iter, found.record
    if record.iteration is not None:
        last = min(last, record.iteration)  # early stop comes before
    if newest >= last and record.status == "done" and not length:
        option = "--max-iter N" if record.kind == "solver" else "--epochs N"
        raise UsageError(
            f"{run.path}: this run is finished ({newest} iterations); {option} makes it longer"
        )
    return newest


def _restore(job: Job, record: RunRecord, newest: int) -> None:
    """Bring the trainer to the snapshot of an iteration, or to where the run began."""
    if newest:
        job.trainer.restore(job.run.snapshots().state(newest))
        return
    job.load(job.trainer.solver)
    if record.began_with is not None:
        job.trainer.restore(Path(record.began_with))


def _remove_torn(run: RunDirectory, snapshots: Snapshots) -> None:
    """Remove what a killed process left half written, and nothing of other runs."""
    remove_partial(run.path)
    prefix = snapshots.prefix
    for left in prefix.parent.glob(f".{prefix.name}_iter_*.????????.part"):
        left.unlink(missing_ok=True)


def _rewind_metrics(run: RunDirectory, iteration: int, per_epoch: float | None) -> None:
    """Drop the lines of iterations that the resumed run makes again.

    The line of the snapshot itself may be missing: a kill can come between the two.
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


@contextmanager
def _new_run(out: Path | None, name: str, stack: ExitStack) -> Iterator[RunDirectory]:
    """Make a run directory, held until the stack ends; discard it when the block fails."""
    run = RunDirectory.create(out, name)
    stack.enter_context(run.held())
    try:
        yield run
    except BaseException:
        run.discard()
        raise

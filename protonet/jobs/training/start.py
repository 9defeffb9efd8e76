"""Start a training in a new run directory, from a pasted network or Caffe's solver files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from protonet.data.create import Progress
from protonet.data.shards import NO_SHARDS, OwnShards, Survey, is_sharded, shard_name
from protonet.device import Device
from protonet.errors import NetworkError, UsageError
from protonet.jobs.checks.databases import check_databases
from protonet.jobs.checks.objective import NO_VECTORS, wants_vectors
from protonet.jobs.definitions.solver import settled
from protonet.jobs.definitions.solver_files import SolverFiles
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.settings import RunSettings, SolverSettings
from protonet.jobs.training.join import Outcome, invite
from protonet.jobs.training.new_run import computes_mean, run_name, write_run
from protonet.jobs.training.new_solver_run import write_solver_run
from protonet.jobs.training.session import Job, OnTrainer
from protonet.proto.ignored import ignored_notes
from protonet.proto.text import NetDefinition
from protonet.ranks.communicator import ALONE, Communicator
from protonet.ranks.devices import first_device
from protonet.solvers.check import check_solver
from protonet.train.events import Listener

_FILES_OWN = SolverSettings()
_DATABASES = ("data", "labels", "val_data", "val_labels")


def start(
    pasted: NetDefinition,
    settings: RunSettings,
    *,
    listeners: Sequence[Listener] = (),
    on_trainer: OnTrainer | None = None,
    progress: Progress | None = None,
    ranks: Communicator = ALONE,
) -> Outcome:
    """Train a pasted network in a new run directory.

    ``progress`` is called while the mean of the images is computed. Of several ``ranks`` this is
    rank 0; the others ``join``.

    Everything is checked before training begins: mistakes in the network or the databases leave no
    directory behind.

    Raises:
        NetworkError, DataError, UsageError, DeviceError: before the training.
        TrainingError: when the loss is no longer finite; the directory stays.
    """
    settings = settled(settings.on_ranks(ranks.size), pasted.source.text)
    settings, shards = _own_shards(settings, pasted, ranks)
    told = check_databases(settings)
    device = Device(first_device(settings.device, ranks), tf32=settings.tf32)
    with ExitStack() as stack:
        with _new_run(settings.out, run_name(pasted), stack) as run:
            with _hinting(pasted, settings):
                files, notes = write_run(run, pasted, settings, progress, shards)
            notes = [*pasted.printed, *ignored_notes(pasted.net), *told, *notes]
            invite(ranks, run, settings)
            job = stack.enter_context(Job(run, files, settings, device, ranks))
            notes += job.load(files.solver)
            run.update(status="run")
        return Outcome(run, job.train(listeners, on_trainer), tuple(notes))


def _own_shards(
    settings: RunSettings, pasted: NetDefinition, ranks: Communicator
) -> tuple[RunSettings, OwnShards]:
    """The settings with the shards of this rank, which is rank 0, and what they are part of.

    Raises:
        UsageError: for shards on one rank, or whose mean would have to be computed.
    """
    given = {name: str(getattr(settings, name)) for name in _DATABASES}
    named = {name: str(Path(path).absolute()) for name, path in given.items() if is_sharded(path)}
    if not named:
        return settings, NO_SHARDS
    if ranks.alone:
        name = next(iter(named))
        raise UsageError(
            f"--{name.replace('_', '-')} {given[name]} names a shard for each rank, and there is "
            "one rank; --ranks N and mpiexec start several"
        )
    if "data" in named and computes_mean(settings, pasted.net):
        raise UsageError(
            "the mean image of shards is not computed: --mean FILE has it, which protonet "
            "compute-image-mean makes of a database; or --mean with numbers, or --mean none"
        )
    survey = Survey(tuple(named.values()))
    ranks.broadcast(survey)
    records = survey.answer(ranks)
    own = {name: Path(shard_name(path, ranks)).resolve() for name, path in named.items()}
    paths = [str(path) for path in own.values()]
    shards = OwnShards(
        dict(zip(paths, named.values(), strict=True)),
        dict(zip(paths, records, strict=True)),
        ranks.size,
    )
    changed: dict[str, Any] = {**own}
    return replace(settings, **changed), shards


@contextmanager
def _hinting(pasted: NetDefinition, settings: RunSettings) -> Iterator[None]:
    """Add a hint on --labels to errors of a net with a loss over vectors."""
    try:
        yield
    except NetworkError as error:
        if settings.labels is None and wants_vectors(pasted.net):
            error.add_note(NO_VECTORS)
        raise


def start_solver(
    path: Path,
    settings: SolverSettings = _FILES_OWN,
    *,
    listeners: Sequence[Listener] = (),
    on_trainer: OnTrainer | None = None,
    ranks: Communicator = ALONE,
) -> Outcome:
    """Train with one of Caffe's solver files.

    Files are looked up in the working directory, as Caffe does, then in the folder of the file
    that names them. Snapshots go to ``snapshot_prefix``, everything else to the run directory.

    Raises:
        As ``start``; FormatError for weights or a state that do not fit.
    """
    files, settings = SolverFiles.read(path), settings.on_ranks(ranks.size)
    settings.put(files.solver)
    check_solver(files.solver)
    if settings.early_stop is not None and not files.tests:
        raise UsageError(f"early stop needs a test net, and {path} names none")
    processor = Device(first_device(settings.device, ranks), tf32=settings.tf32)
    if settings.seed is None:
        settings = replace(settings, seed=max(0, files.solver.random_seed))
    with ExitStack() as stack:
        with _new_run(settings.out, run_name(files.train), stack) as run:
            files, notes = write_solver_run(run, path, files, settings, ranks)
            invite(ranks, run, settings, settings.snapshot)
            job = stack.enter_context(Job(run, files, settings, processor, ranks))
            notes += job.load(files.solver)
            if settings.snapshot is not None:
                state = settings.snapshot
                job.trainer.restore(state)
                notes.append(f"continues from {state}, iteration {job.trainer.iteration}")
                run.update(began_with=str(state.resolve()))
            run.update(status="run")
        return Outcome(run, job.train(listeners, on_trainer), tuple(notes))


@contextmanager
def _new_run(out: Path | None, name: str, stack: ExitStack) -> Iterator[RunDirectory]:
    """Make a run directory, locked until the stack closes; remove it when the block fails."""
    run = RunDirectory.create(out, name)
    stack.enter_context(run.held())
    try:
        yield run
    except BaseException:
        run.discard()
        raise

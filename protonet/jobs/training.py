"""Training as a job: a run directory from a pasted network or from Caffe's solver files."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from protonet.data.database import check_pairs
from protonet.device import Device
from protonet.errors import DeviceError, ProtonetError, UsageError
from protonet.formats.atomic import remove_partial, write_atomic
from protonet.graph.net import Net
from protonet.graph.plan import Plan, plan_net
from protonet.graph.summary import summarize
from protonet.jobs.network import make_deploy
from protonet.jobs.prepare import (
    check_databases,
    files_of,
    image_layers,
    pruned_note,
    record_transform,
    run_name,
    write_run,
)
from protonet.jobs.run import RunDirectory
from protonet.jobs.settings import RunSettings
from protonet.jobs.solver_files import SolverFiles
from protonet.layers.base import Surroundings
from protonet.layers.inputs import Data
from protonet.proto.caffe_pb2 import TEST, TRAIN, SolverParameter
from protonet.proto.text import NetDefinition, Source, write_text
from protonet.train.events import Listener
from protonet.train.listeners import CaffeLog, LossPlot, Metrics, read_metrics
from protonet.train.trainer import Result, Trainer

Watch = Callable[[Callable[[], None]], None]
"""Given the trainer's ``stop`` when the loop begins, for a signal handler to call."""


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
) -> Outcome:
    """Train a pasted network in a new run directory.

    Everything is checked before training begins: mistakes in the network or the databases leave
    no directory behind.

    Raises:
        NetworkError, DataError, UsageError, DeviceError: before the training.
        TrainingError: when the loss is no longer finite; the directory stays.
    """
    check_databases(settings)
    device = Device(settings.device)
    run = RunDirectory.create(settings.out, run_name(pasted))
    with _removed_unless_begun(run):
        nets, notes = write_run(run, pasted, settings)
        job = _Job(run, nets, device, settings.seed, settings.shuffle, settings.threads)
        run.update(status="run")
    return job.train(listeners, watch, notes)


def start_solver(
    path: Path,
    *,
    out: Path | None = None,
    device: str = "cpu",
    seed: int | None = None,
    listeners: Sequence[Listener] = (),
    watch: Watch | None = None,
) -> Outcome:
    """Train what one of Caffe's solver files says.

    Files that the texts name are looked up in the working directory, as Caffe does, then beside
    the text. Snapshots go where ``snapshot_prefix`` says; the run directory has the rest.
    """
    files = SolverFiles.read(path)
    run = RunDirectory.create(out, files.name)
    with _removed_unless_begun(run):
        prefix = Path(files.solver.snapshot_prefix or path.stem).resolve()
        write_atomic(run.solver, write_text(files.solver).encode())
        write_atomic(run.original, Source.read(path).text.encode())
        chosen = seed if seed is not None else max(0, files.solver.random_seed)
        run.update(
            kind="solver",
            status="init",
            name=files.name,
            prefix=str(prefix),
            hdf5=files.solver.snapshot_format == SolverParameter.HDF5,
            solver=str(path.resolve()),
            device=device,
            seed=chosen,
        )
        job = _Job(run, files, Device(device), chosen, False, 2)
        notes = job.write_deploy()
        run.update(status="run")
    return job.train(listeners, watch, notes)


def resume(
    path: Path,
    *,
    device: str | None = None,
    listeners: Sequence[Listener] = (),
    watch: Watch | None = None,
) -> Outcome:
    """Go on with a run from its newest whole snapshot, or from the beginning without one.

    On the CPU the result has the same bits as that of a run that was never stopped.

    Raises:
        UsageError: when the run is finished, or is no run.
    """
    run = RunDirectory.open(path)
    info = run.read()
    if info["kind"] == "solver":
        files = SolverFiles.read(Path(info["solver"]))
        settings = RunSettings(Path(), seed=info["seed"], device=info["device"])
    else:
        settings = RunSettings.from_json(info["settings"])
        files = files_of(run)
    snapshots = run.snapshots()
    for folder in {run.path, snapshots.prefix.parent}:
        remove_partial(folder)
    done = snapshots.complete()
    newest = done[-1] if done else 0
    if newest >= files.solver.max_iter:
        raise UsageError(f"{path}: this run is finished ({newest} iterations)")
    name = device if device is not None else settings.device
    job = _Job(run, files, Device(name), settings.seed, settings.shuffle, settings.threads)
    if newest:
        job.trainer.restore(snapshots.state(newest))
    _cut_metrics(run.metrics, newest)
    run.update(status="run", resumed_at=newest)
    return job.train(listeners, watch, [f"resumed at iteration {newest}"])


class _Job:
    """Nets and trainer of a run, ready to train."""

    def __init__(
        self,
        run: RunDirectory,
        files: SolverFiles,
        device: Device,
        seed: int,
        shuffle: bool,
        threads: int,
    ) -> None:
        self.run, self.files = run, files
        solver = files.solver
        around = Surroundings(files.folder, seed, shuffle, threads)
        plans = [plan_net(files.train, phase=TRAIN, around=around, **files.train_state)]
        try:
            for definition, state in files.tests:
                plans.append(plan_net(definition, phase=TEST, around=around, **state))
            for plan in plans:
                check_plan_pairs(plan)
            _check_memory(plans, device)
            self.nets = [Net(plans[0], device, seed=seed)]
            for plan in plans[1:]:
                self.nets.append(
                    Net(plan, device, seed=seed, share_memory=True, params_of=self.nets[0])
                )
        except BaseException:
            for plan in plans:
                plan.close()
            raise
        self.per_epoch = _iterations_per_epoch(plans[0], solver)
        self.metrics, self.log = Metrics(run.metrics), CaffeLog(run.log)
        self.trainer = Trainer(
            solver,
            self.nets[0],
            list(zip(self.nets[1:], solver.test_iter, strict=True)),
            run.snapshots(),
            [self.metrics, self.log, LossPlot(run.picture)],
            self.per_epoch,
        )

    def train(
        self, listeners: Sequence[Listener], watch: Watch | None, notes: Sequence[str]
    ) -> Outcome:
        """Run the loop; record in run.json how it ended."""
        run, trainer = self.run, self.trainer
        trainer.listeners = (*trainer.listeners, *listeners)
        if watch is not None:
            watch(trainer.stop)
        try:
            result = trainer.run()
        except BaseException as error:
            known = isinstance(error, ProtonetError)
            run.update(status="error" if known else "abort", error=str(error))
            raise
        finally:
            for net in self.nets:
                net.close()
            self.metrics.close()
            self.log.close()
        loss = result.loss if math.isfinite(result.loss) else None
        run.update(
            status="abort" if result.interrupted else "done",
            iteration=result.iteration,
            loss=loss,
        )
        return Outcome(run, result, tuple(notes))

    def write_deploy(self) -> list[str]:
        """Derive deploy.prototxt for a run of solver files, where that can be done."""
        images = image_layers(self.nets[-1].plan) or image_layers(self.nets[0].plan)
        if not images:
            return ["no Data layer of images, so no deploy.prototxt was made"]
        source = self.files.tests[-1][0] if self.files.tests else self.files.train
        try:
            deploy = make_deploy(source, images[0].transformer.output_shape)
        except ProtonetError as error:
            return [f"no deploy.prototxt was made: {error}"]
        write_atomic(self.run.deploy, write_text(deploy.definition.net).encode())
        record_transform(self.run, images[0])
        return pruned_note(deploy.pruned)


def check_plan_pairs(plan: Plan) -> None:
    """Data layers that are read side by side (equal batch sizes) must hold the same keys.

    Raises:
        DataError: naming the keys that lack a partner.
    """
    layers = [step.layer for step in plan.steps if isinstance(step.layer, Data)]
    for other in layers[1:]:
        first = layers[0]
        if other.batch_size != first.batch_size or len(first.spec.top) > 1:
            continue
        if first.database is not None and other.database is not None:
            check_pairs(first.database, other.database)


def _check_memory(plans: Sequence[Plan], device: Device) -> None:
    """Refuse what cannot fit before anything is allocated."""
    needed = summarize(plans[0]).training_bytes
    needed += sum(summarize(plan).inference_bytes for plan in plans[1:])
    free, total = device.memory()
    if needed > total:
        raise DeviceError(
            f"training needs about {needed >> 20} MiB, but device '{device.name}' has "
            f"{total >> 20} MiB ({free >> 20} MiB free); try a smaller batch size"
        )


def _iterations_per_epoch(plan: Plan, solver: SolverParameter) -> int | None:
    """Iterations until every image was seen, as DIGITS counts them; None without images."""
    layers = image_layers(plan)
    if not layers:
        return None
    return math.ceil(layers[0].length / (layers[0].batch_size * solver.iter_size))


def _cut_metrics(path: Path, iteration: int) -> None:
    """Drop the lines of iterations that the resumed run makes again."""
    kept = [
        line
        for line in read_metrics(path)
        if line["iteration"] < iteration
        or (line["event"] == "snapshotted" and line["iteration"] == iteration)
    ]
    write_atomic(path, "".join(json.dumps(line) + "\n" for line in kept).encode())


@contextmanager
def _removed_unless_begun(run: RunDirectory) -> Iterator[None]:
    """Remove a new run directory when what prepares it fails."""
    try:
        yield
    except BaseException:
        shutil.rmtree(run.path, ignore_errors=True)
        with suppress(OSError):
            Path("runs").rmdir()  # only where nothing else is in it
        raise

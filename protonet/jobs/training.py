"""Training as a job: a run directory from a pasted network or from Caffe's solver files."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from protonet.data.create import compute_mean
from protonet.data.database import Database, check_pairs
from protonet.device import Device
from protonet.errors import DataError, DeviceError, ProtonetError, UsageError
from protonet.formats.atomic import write_atomic
from protonet.formats.blobs import from_array
from protonet.graph.net import Net
from protonet.graph.plan import Plan, plan_net
from protonet.graph.summary import summarize
from protonet.jobs.network import (
    Databases,
    lacks_outputs,
    make_deploy,
    make_train_val,
)
from protonet.jobs.run import RunDirectory, fingerprint
from protonet.jobs.settings import RunSettings
from protonet.jobs.solver import PREFIX, make_solver
from protonet.jobs.solver_files import SolverFiles
from protonet.layers.base import Surroundings
from protonet.layers.inputs import Data
from protonet.proto.caffe_pb2 import TEST, TRAIN, SolverParameter, TransformationParameter
from protonet.proto.text import NetDefinition, Source, read_net, read_solver, write_text
from protonet.train.events import Listener
from protonet.train.listeners import CaffeLog, LossPlot, Metrics, read_metrics
from protonet.train.trainer import Result, Trainer

Watch = Callable[[Callable[[], None]], None]
"""Given the trainer's ``stop`` when the loop begins, for a signal handler to call."""


@dataclass(frozen=True)
class Outcome:
    """A finished or stopped training: its directory, how it ended, and what was noted on the way."""

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
    _check_databases(settings)
    device = Device(settings.device)
    run = RunDirectory.create(settings.out, _name(pasted))
    with _removed_unless_begun(run):
        nets, notes = _write_run(run, pasted, settings)
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
        files = _files_of(run)
    snapshots = run.snapshots()
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
        self.listeners: list[Listener] = [
            Metrics(run.metrics),
            CaffeLog(run.log),
            LossPlot(run.picture),
        ]
        tests = list(zip(self.nets[1:], solver.test_iter, strict=True))
        self.trainer = Trainer(
            solver, self.nets[0], tests, run.snapshots(), self.listeners, self.per_epoch
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
        loss = result.loss if math.isfinite(result.loss) else None
        run.update(
            status="abort" if result.interrupted else "done",
            iteration=result.iteration,
            loss=loss,
        )
        return Outcome(run, result, tuple(notes))

    def write_deploy(self) -> list[str]:
        """Derive deploy.prototxt for a run of solver files, where that can be done."""
        images = _image_layers(self.nets[-1].plan) or _image_layers(self.nets[0].plan)
        if not images:
            return ["no Data layer of images, so no deploy.prototxt was made"]
        source = self.files.tests[-1][0] if self.files.tests else self.files.train
        try:
            deploy = make_deploy(source, images[0].transformer.output_shape)
        except ProtonetError as error:
            return [f"no deploy.prototxt was made: {error}"]
        write_atomic(self.run.deploy, write_text(deploy.definition.net).encode())
        _record_transform(self.run, images[0])
        return _pruned_note(deploy.pruned)


def _name(pasted: NetDefinition) -> str:
    """What a run of this network is called: the file's name, or the net's."""
    stem = Path(pasted.source.name).stem
    name = pasted.net.name if stem in ("<stdin>", "net", "train_val") and pasted.net.name else stem
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip("-") or "net"


def _check_databases(settings: RunSettings) -> None:
    """Open every database, and check that images and labels pair up."""
    for images, labels in (
        (settings.data, settings.labels),
        (settings.val_data, settings.val_labels),
    ):
        if images is None:
            continue
        with Database(images) as left:
            if labels is not None:
                with Database(labels) as right:
                    check_pairs(left, right)
            else:
                left.first()


def _write_run(
    run: RunDirectory, pasted: NetDefinition, settings: RunSettings
) -> tuple[SolverFiles, list[str]]:
    """Write the texts of the run; return its nets and what to tell the user."""
    mean = _write_mean(run, settings)
    train = _databases(settings.data, settings.labels)
    val = _databases(settings.val_data, settings.val_labels) if settings.val_data else None
    classes = None
    if lacks_outputs(pasted.net) and settings.labels is None:
        classes = _count_classes(settings)
    train_val = make_train_val(
        pasted,
        train,
        val,
        batch_size=settings.batch_size,
        mean_file=mean,
        replace_mean=settings.mean is not None,
        classes=classes,
    )
    around = Surroundings(run.path, settings.seed, settings.shuffle, settings.threads)
    plan = plan_net(train_val, phase=TRAIN, stages=["train"], around=around)
    try:
        images = _image_layers(plan)[0]
        records, batch = images.length, images.batch_size
        deploy = make_deploy(train_val, images.transformer.output_shape)
        plan_net(deploy.definition, phase=TEST, stages=["deploy"]).close()
        write_atomic(run.original, pasted.source.text.encode())
        write_atomic(run.train_val, write_text(train_val.net).encode())
        write_atomic(run.deploy, write_text(deploy.definition.net).encode())
        run.update(
            kind="network",
            status="init",
            name=run.path.name,
            prefix=PREFIX,
            settings=settings.to_json(),
            databases=[
                fingerprint(Path(path))
                for path in (settings.data, settings.labels, settings.val_data, settings.val_labels)
                if path is not None
            ],
        )
        _record_transform(run, images)
    finally:
        plan.close()
    val_size = None
    if val is not None:
        with Database(val.images) as database:
            val_size = (len(database), _val_batch(train_val, batch))
    solver = make_solver(settings, (records, batch), val_size)
    write_atomic(run.solver, write_text(solver).encode())
    notes = _pruned_note(deploy.pruned)
    if classes is not None:
        notes.append(f"num_output was left out: set to the {classes} classes of the data")
    return SolverFiles.of(solver, train_val, run.path), notes


def _files_of(run: RunDirectory) -> SolverFiles:
    """The nets of an existing run of a pasted network; a run that moved finds its own mean."""
    definition = read_net(Source.read(run.train_val))
    for layer in definition.net.layer:
        mean = layer.transform_param.mean_file
        if mean and not Path(mean).exists() and Path(mean).name == run.mean.name:
            layer.transform_param.mean_file = str(run.mean.resolve())
    return SolverFiles.of(read_solver(Source.read(run.solver)), definition, run.path)


def _databases(images: Path, labels: Path | None) -> Databases:
    return Databases(str(images.resolve()), str(labels.resolve()) if labels is not None else None)


def _val_batch(train_val: NetDefinition, default: int) -> int:
    """The batch size of the validation images."""
    sizes = [
        layer.data_param.batch_size
        for layer in train_val.net.layer
        if layer.type == "Data" and list(layer.top) != ["label"]
    ]
    return sizes[-1] if sizes else default


def _count_classes(settings: RunSettings) -> int:
    """How many classes the training labels have: the greatest and one."""
    with Database(settings.data) as database:
        return 1 + max(datum.label for _, datum in database.items())


def _write_mean(run: RunDirectory, settings: RunSettings) -> str | None:
    """The mean of the run as a file of its own; None for a run without one."""
    if settings.mean == "none":
        return None
    if settings.mean is None:
        mean = compute_mean(settings.data)
        write_atomic(run.mean, from_array(mean[None]).SerializeToString())
    else:
        try:
            write_atomic(run.mean, Path(settings.mean).read_bytes())
        except OSError as error:
            raise UsageError(f"{settings.mean}: cannot be read: {error.strerror}") from error
    return str(run.mean.resolve())


def _image_layers(plan: Plan) -> list[Data]:
    """The Data layers that bring images, not label vectors."""
    layers = [step.layer for step in plan.steps if isinstance(step.layer, Data)]
    return [layer for layer in layers if list(layer.spec.top) != ["label"]]


def _record_transform(run: RunDirectory, images: Data) -> None:
    """Keep what inference needs to treat an image as training did."""
    transform = TransformationParameter()
    transform.CopyFrom(images.spec.transform_param)
    if transform.mean_file:
        found = images.around.find(transform.mean_file)
        if found.resolve() != run.mean.resolve():
            write_atomic(run.mean, found.read_bytes())
        transform.mean_file = run.mean.name
    run.update(transform=write_text(transform), image_shape=list(images.transformer.shape))


def _pruned_note(pruned: Sequence[str]) -> list[str]:
    if not pruned:
        return []
    names = ", ".join(f'"{name}"' for name in pruned)
    return [f"left out of deploy.prototxt, since they need labels: {names}"]


def check_plan_pairs(plan: Plan) -> None:
    """Data layers that are read side by side (equal batch sizes) must hold the same keys.

    Raises:
        DataError: naming the keys that lack a partner.
    """
    layers = [step.layer for step in plan.steps if isinstance(step.layer, Data)]
    for other in layers[1:]:
        if other.batch_size == layers[0].batch_size and len(layers[0].spec.top) == 1:
            check_pairs(layers[0].database, other.database)


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


def _iterations_per_epoch(plan: Plan, solver: SolverParameter) -> float | None:
    layers = _image_layers(plan)
    if not layers:
        return None
    return layers[0].length / (layers[0].batch_size * solver.iter_size)


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
        raise

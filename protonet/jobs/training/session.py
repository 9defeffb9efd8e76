"""The training session of a run: its nets and its trainer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from protonet.device import Device
from protonet.errors import OtherNetError
from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.graph.planning import plan_net
from protonet.graph.weights import LoadReport
from protonet.jobs.checks.memory import TrainingMemory, check_training
from protonet.jobs.checks.objective import has_objective
from protonet.jobs.checks.pairing import large_batches, plan_pairs
from protonet.jobs.checks.sharing import (
    refuse_files,
    refuse_moments,
    refuse_other_shapes,
    refuse_regrouped,
    refuse_uneven_shards,
    refuse_whole_batches,
    shard_notes,
)
from protonet.jobs.checks.weights import MISMATCH, none_taken
from protonet.jobs.definitions.inputs import image_layers
from protonet.jobs.definitions.solver_files import SolverFiles
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.settings import RunSettings, SolverSettings
from protonet.jobs.run.torch7_snapshots import Torch7Snapshots
from protonet.jobs.training.prolong import prolonged_at
from protonet.kernels import native
from protonet.layers.base import LayerContext
from protonet.precision import type_of
from protonet.proto.caffe_pb2 import TEST, TRAIN, SolverParameter
from protonet.ranks.communicator import ALONE, Communicator
from protonet.train.events import Listener, Warned
from protonet.train.listeners import (
    CaffeLog,
    EarlyStop,
    KeepNewest,
    LossPlot,
    Metrics,
    figure,
    read_metrics,
)
from protonet.train.metrics import keeping_measured
from protonet.train.snapshot import Snapshots
from protonet.train.trainer import Result, Trainer

OnTrainer = Callable[[Trainer], None]
"""Called with the trainer before the loop begins, so that signals can stop it."""


class Job:
    """The built nets of a run and their trainer. Close it, or use ``with``.

    Args:
        run: the directory of metrics, log and plot; its run.json has the path of the snapshots.
        files: the solver and its nets.
        settings: of the training; not read again from run.json.
        device: the device of the nets.
        ranks: share out every batch; only rank 0 writes files.

    Raises:
        NetworkError, DataError: when the net cannot be trained.
        UsageError: when snapshots cannot be written.
        DeviceError: when the nets need more memory than allowed; before anything is allocated.
    """

    notes: Sequence[str] = ()

    def __init__(
        self,
        run: RunDirectory,
        files: SolverFiles,
        settings: RunSettings | SolverSettings,
        device: Device,
        ranks: Communicator = ALONE,
    ) -> None:
        ranks = ranks.on(device)
        self.run, self.settings, self.ranks = run, settings, ranks
        context = settings.layer_context(run.path)
        context = replace(context, shards=None if ranks.alone else ranks)
        snapshots = run.snapshots()
        writes = ranks.rank == 0
        if writes and (files.solver.snapshot or files.solver.snapshot_after_train):
            snapshots.check_folder()
        self._plans: list[Plan] = []
        try:
            self._plan(files, context)
            memory = self._memory(files.solver)
            averages = settings.average is not None
            self._warning = check_training(
                self._plans, files.solver, device, memory, averages=averages
            )
            self.nets = self._build(memory, device, context.seed)
        except BaseException:
            self._close_plans()
            raise
        self._files = (Metrics(run.metrics), CaffeLog(run.log)) if writes else ()
        self.trainer = self._make_trainer(files.solver, snapshots)
        if writes:
            self._begin_files(hdf5=self.trainer.snapshots != snapshots)

    def _make_trainer(self, solver: SolverParameter, snapshots: Snapshots) -> Trainer:
        return Trainer(
            solver,
            self.nets[0],
            list(zip(self.nets[1:], solver.test_iter, strict=True)),
            snapshots,
            [*self._files, LossPlot(self.run.picture)] if self._files else [],
            _iterations_per_epoch(self._plans[0], solver),
            self.settings.average,
            alone=True,
            ranks=self.ranks,
            sent=type_of(self.settings.gradient_precision),
        )

    def _begin_files(self, *, hdf5: bool) -> None:
        """Make the notes and the listeners of the rank that writes files."""
        if hdf5:
            self.run.update(hdf5=True)
        self.notes = self._remarks(hdf5=hdf5)
        self.trainer.listeners = (*self.trainer.listeners, *self._optional_listeners())

    def _remarks(self, *, hdf5: bool) -> list[str]:
        """Notes before training begins; ``hdf5`` if it switched to HDF5 snapshots."""
        told, sharing = list(self._large), self.trainer.progress.sharing
        if sharing is not None and sharing.each is not None:
            told.append(sharing.text)
        told += shard_notes(self._plans[0])
        if not has_objective(self._plans[0]):
            told.append(
                "WARNING: the train net has no loss layer, so it will not learn: "
                "the loss is 0 and no weight changes"
            )
        if isinstance(self.settings, SolverSettings):  # other runs have this note already
            told += self._pairs
        if hdf5:
            told.append(
                "the snapshots are HDF5 (.h5): weights or state are larger than 2 GiB, which "
                "Caffe's binary files cannot hold"
            )
        return told

    def _optional_listeners(self) -> Iterator[Listener]:
        """The listeners that remove old snapshots, write them for Torch7, and stop early."""
        run, settings = self.run, self.settings
        if settings.keep is not None:
            kept = run.snapshots()
            yield KeepNewest(kept, settings.keep, lambda: (run.iterations(), run.figures()))
        if isinstance(settings, RunSettings) and settings.torch7_snapshots:
            images = image_layers(self._plans[0])[0]
            yield Torch7Snapshots(run, (images.batch_size, *images.image_shape))
        if settings.early_stop is not None:
            finish = self.trainer.finish
            yield EarlyStop(settings.early_stop, finish, self._figures_before, self._prolonged_at)

    def _memory(self, solver: SolverParameter) -> TrainingMemory:
        """The memory settings; ``debug_info`` reads every blob after a pass."""
        reads_inner_blobs = solver.debug_info or self._plans[0].definition.net.debug_info
        return TrainingMemory(
            self.settings.memory_limit,
            self.settings.recompute,
            packed=not reads_inner_blobs,
            fuse=self.settings.fuse,
            precision=type_of(self.settings.precision),
        )

    def _build(self, memory: TrainingMemory, device: Device, seed: int) -> list[Net]:
        """The train net and the test nets, which share its memory: they never run at once."""
        train = Net(
            self._plans[0],
            device,
            seed=seed,
            packed=memory.packed,
            recompute=memory.recompute,
            fuse=memory.fuse,
            precision=memory.precision,
        )
        tests = [
            Net(
                each,
                device,
                seed=seed,
                gradients=False,
                packed=True,
                fuse=memory.fuse,
                precision=memory.precision,
                memory_of=train,
                params_of=train,
            )
            for each in self._plans[1:]
        ]
        return [train, *tests]

    def _prolonged_at(self) -> int:
        """The iteration of the run's last change of length; -1 for none."""
        return prolonged_at(self.run.record())

    def _figures_before(self, iteration: int) -> list[tuple[int, float | None]]:
        """The iterations and metrics of the tests before an iteration."""
        return [
            (line["iteration"], figure(line["outputs"], line["loss"]))
            for line in read_metrics(self.run.metrics)
            if line["event"] == "tested" and line["net"] == 0 and line["iteration"] < iteration
        ]

    def __enter__(self) -> Job:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release files, threads and CUDA graphs."""
        self.trainer.train_step.close()
        for net in self.nets:
            net.close()
        self._close_plans()
        for file in self._files:
            file.close()

    def begin(self, state: Path | None) -> None:
        """Restore a state, or load the initial weights."""
        if state is None:
            self.load(self.trainer.solver)
        else:
            self.trainer.restore(state)

    def load(self, solver: SolverParameter) -> list[str]:
        """Load the solver's ``weights`` into the train net; return notes for the user.

        Raises:
            FormatError: for files that are damaged or belong to another net.
        """
        notes = list(self.notes)
        if self.trainer.net.device.is_cpu and native.load() is None:
            notes.append(f"kernels: {native.described()}")
        precision = self.settings.precision
        computed = precision == "bfloat16" and native.has("avx512_bf16")
        if self.trainer.net.device.is_cpu and precision != "float32" and not computed:
            notes.append(
                f"precision: blobs are stored in {precision}; on this CPU, products are computed "
                "on float32 copies of them, which saves memory but no time"
            )
        allowed = self.settings.allow_mismatch
        reports: list[LoadReport] = []
        shape = next((each.image_shape for each in image_layers(self._plans[0])), None)
        for name in (part for listed in solver.weights for part in listed.split(",")):
            from protonet.torch7.conversion import layer_weights

            try:
                values = layer_weights(name, shape)
                report = self.nets[0].load(values, name, allow_mismatch=allowed)
            except OtherNetError as error:
                raise OtherNetError(f"{error}\n  {MISMATCH}") from None
            if Path(name).parent == self.run.path.resolve():
                continue  # the run's own initial weights
            reports.append(report)
            loaded = ", ".join(report.loaded) if report.loaded else "none"
            absent = f"; missing in it: {', '.join(report.absent)}" if report.absent else ""
            unused = f"; unused in it: {', '.join(report.unused)}" if report.unused else ""
            notes.append(f"layers loaded from {name}: {loaded}{absent}{unused}")
            notes += [f"not loaded: {problem}" for problem in report.mismatched]
        given = isinstance(self.settings, RunSettings) and bool(reports)
        if given and not any(each.loaded or each.mismatched for each in reports):
            raise none_taken(name, reports[-1].unused)
        return notes

    def train(self, listeners: Sequence[Listener], on_trainer: OnTrainer | None) -> Result:
        """Run the loop; store the result in run.json.

        Raises:
            TrainingError: when the loss is no longer a finite number.
        """
        trainer = self.trainer
        self._follow_solver()
        trainer.listeners = (*trainer.listeners, *listeners)
        if on_trainer is not None:
            on_trainer(trainer)
        if self._warning:
            for listener in trainer.listeners:
                listener(Warned(trainer.iteration, self._warning))
        try:
            result = trainer.run()
        except BaseException as error:
            failed = isinstance(error, Exception)
            told = str(error) if str(error) else type(error).__name__
            self._record(status="error" if failed else "abort", error=told)
            raise
        self._record(
            status="abort" if result.interrupted else "done",
            iteration=result.iteration,
            loss=result.loss if math.isfinite(result.loss) else None,
        )
        return result

    def _follow_solver(self) -> None:
        """Take over the settings of rank 0: resuming may have changed the length."""
        trainer = self.trainer
        given = self.ranks.broadcast(trainer.solver.SerializeToString())
        if self.ranks.rank:
            trainer.solver.ParseFromString(given)
            trainer.reconfigure()

    def _record(self, **changes: Any) -> None:
        if self.ranks.rank == 0:
            self.run.update(**changes)

    def _plan(self, files: SolverFiles, context: LayerContext) -> None:
        plans = self._plans
        shared = replace(context, ranks=self.ranks)
        plans.append(plan_net(files.train, phase=TRAIN, context=shared, **files.train_state))
        if not self.ranks.alone:
            refuse_whole_batches(plans[0])
            refuse_regrouped(plans[0])
            if context.sync_batch_norm:
                refuse_moments(plans[0])
        for definition, state in files.tests:
            plan = plan_net(definition, phase=TEST, context=context, **state)
            plans.append(keeping_measured(plan))
        for test in plans[1:]:
            refuse_other_shapes(plans[0], test)
        if not self.ranks.alone:
            for each in plans:
                refuse_files(each)
            for test, passes in zip(plans[1:], files.solver.test_iter, strict=True):
                refuse_uneven_shards(test, passes, self.ranks)
        told = [note for plan in plans for note in plan_pairs(plan)]
        # The tests may read the same databases.
        self._pairs = list(dict.fromkeys(told))
        self._large = large_batches(plans[0])[:1]

    def _close_plans(self) -> None:
        for plan in self._plans:
            plan.close()


def _iterations_per_epoch(plan: Plan, solver: SolverParameter) -> int | None:
    """Iterations per epoch, as DIGITS counts them; None without images."""
    layers = image_layers(plan)
    if not layers:
        return None
    return math.ceil(layers[0].length / (layers[0].whole_batch * solver.iter_size))

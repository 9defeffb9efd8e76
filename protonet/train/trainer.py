"""The training loop: Caffe's solver steps, test passes and snapshots, reported as events."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from protonet.errors import FormatError, ProtonetError, TrainingError
from protonet.formats.caffemodel import Weights, read_weights
from protonet.formats.solverstate import SolverHistory, read_state
from protonet.graph.inspection import describe_update
from protonet.graph.net import Net
from protonet.proto.caffe_pb2 import NetParameter, SolverParameter
from protonet.ranks.communicator import ALONE, Communicator
from protonet.solvers.loss_scale import LossScale
from protonet.solvers.schedules import make_schedule, tests_at
from protonet.solvers.update_rule import make_rule
from protonet.train.averaging import WeightAverage
from protonet.train.diagnosis import explain_divergence
from protonet.train.events import (
    Concluded,
    Event,
    Failed,
    Inspected,
    Listener,
    Snapshotted,
    Started,
    Stopped,
)
from protonet.train.progress import Progress, sharing_of
from protonet.train.requests import Requests
from protonet.train.resume import restore_resume_state, resume_state
from protonet.train.smoothing import SmoothedLoss
from protonet.train.snapshot import Snapshots, largest_file, read_resume, resume_errors, weights_of
from protonet.train.testing import TestPasses, mean_over_ranks
from protonet.train.train_step import make_train_step


@dataclass(frozen=True)
class Result:
    """The result of a training: iterations done, smoothed loss, whether the user stopped it."""

    iteration: int
    loss: float
    interrupted: bool


class Trainer:
    """Runs a solver over a net.

    One iteration, in Caffe's order: tests if due, ``iter_size`` forward and backward passes,
    display, update, snapshot if due.

    Args:
        solver: Caffe's settings; only those of the loop, the update rule and the schedule are read.
        net: the train net.
        tests: test nets, each with its ``test_iter``.
        snapshots: where to write them, as HDF5 if they exceed 2 GiB; None to write no files.
        listeners: called with every event, in order.
        per_epoch: iterations in an epoch, where the data has a length.
        average: the decay of the moving average of the weights, which tests then use and snapshots
            store in addition; None for no averaging.
        alone: only this trainer runs the train net: its backward passes may write gradients
            instead of accumulating them.
        ranks: share out every batch; rank 0 writes the files and calls the listeners.
        sent: the type in which ranks send gradients.
    """

    def __init__(
        self,
        solver: SolverParameter,
        net: Net,
        tests: Sequence[tuple[Net, int]] = (),
        snapshots: Snapshots | None = None,
        listeners: Sequence[Listener] = (),
        per_epoch: float | None = None,
        average: float | None = None,
        *,
        alone: bool = False,
        ranks: Communicator = ALONE,
        sent: Any = np.float32,
    ) -> None:
        self.solver, self.net, self.ranks = solver, net, ranks
        self.tests = tuple(tests)
        self._test_passes = [
            TestPasses(index, *test, losses=solver.test_compute_loss, solver=solver, ranks=ranks)
            for index, test in enumerate(self.tests)
        ]
        self.snapshots, self.per_epoch = snapshots, per_epoch
        self.listeners = tuple(listeners)
        self.schedule = make_schedule(solver)
        self.smoothed = SmoothedLoss(max(1, solver.average_loss))
        scale = net.loss_scale
        self.scale = LossScale(scale, net.store, net.device) if scale is not None else None
        halt = self.scale.halt if self.scale is not None else None
        self.rule = make_rule(solver, net.store, net.device, halt)
        if snapshots is not None:
            self.snapshots = snapshots.for_size(largest_file(net, self.rule.slots))
        self.train_step = make_train_step(
            solver, net, self.rule, self.scale, ranks, sent, alone=alone
        )
        self.average = WeightAverage(net, average) if average is not None else None
        self.callbacks: list[tuple[Callable[[], Any], Callable[[], Any]]] = []
        """Called before the passes of each iteration, and before its update."""
        self.iteration = 0
        self._requests, self._began = Requests(ranks), 0
        self._write_error: FormatError | None = None
        self.progress = Progress(self._emit, sharing_of(net, ranks, solver.iter_size))

    def stop(self) -> None:
        """Request that the loop finish its iteration, take a snapshot and end.

        Safe in a signal handler.
        """
        self._requests.stop = True

    def request_snapshot(self) -> None:
        """Request a snapshot after this iteration. Safe in a signal handler."""
        self._requests.snapshot = True

    def finish(self) -> None:
        """End the training after this iteration, as if ``max_iter`` were reached."""
        self._requests.finish = True

    def reconfigure(self) -> None:
        """Apply changes of ``solver``; SolverError if they are invalid."""
        self.schedule = make_schedule(self.solver)
        self.rule.reconfigure(self.solver)

    def run(self) -> Result:
        """Train until ``max_iter`` or until ``stop``.

        Raises:
            TrainingError: when the loss is no longer a finite number.
        """
        solver = self.solver
        end, told = solver.max_iter, (solver.lr_policy, self.progress.sharing)
        self._emit(Started(self.net.plan.name, self.iteration, end, self.per_epoch, *told))
        self.progress.begin(self.iteration)
        try:
            self.advance(end - self.iteration)
            due = solver.snapshot and self.iteration % solver.snapshot == 0
            if solver.snapshot_after_train and not (due and self.iteration):
                self.snapshot()
            if not self._requests.stopping:
                self._conclude()
        except TrainingError as error:
            self._emit(Failed(self.iteration, str(error)))
            raise
        self._emit(Stopped(self.iteration, self._requests.stopping))
        if self._write_error is not None:
            raise self._write_error
        return Result(self.iteration, self.smoothed.value, self._requests.stopping)

    def advance(self, iterations: int) -> None:
        """Run this many iterations, or fewer if ``stop`` is called.

        Raises:
            FormatError: naming the file that a listener could not write; a snapshot is taken
                first.
        """
        self._began = self.iteration
        # overflows are diagnosed from the loss, with the name of the layer
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            self._advance(self.iteration + iterations)
        if not self.ranks.alone:
            self._take_losses()  # while all ranks are here
        if self._write_error is not None:
            self._give_up(self._write_error)

    def _advance(self, end: int) -> None:
        solver, train_step, average = self.solver, self.train_step, self.average
        progress = self.progress
        debug = solver.debug_info or self.net.plan.definition.net.debug_info
        read_every_loss = self.net.device.is_cpu
        at_once = train_step.can_iterate and solver.iter_size == 1 and not debug
        while self.iteration < end and not self._requests.is_over(progress.tick_is_due()):
            now = self.iteration
            due = tests_at(solver, now)
            if due and (now > 0 or solver.test_initialization) and not self.test():
                return
            display = bool(solver.display) and now % solver.display == 0
            tick = self._requests.ticks
            rate = self.schedule.rate(now)
            if at_once and not (read_every_loss or display or tick or self.callbacks):
                train_step.iterate(rate, now)
            else:
                self._passes(read_every_loss or display or tick, debug)
                if display or tick:
                    self._report_capture_errors()
                if display:
                    outputs = mean_over_ranks(self.net, self.ranks)
                    progress.display(now, self.smoothed.value, rate, outputs)
                elif tick:
                    progress.tick(now, self.smoothed.value)
                self._update(rate, debug)
            if average is not None:
                average.update(now)
            self.iteration = now + 1
            due = bool(solver.snapshot) and self.iteration % solver.snapshot == 0
            if self._requests.takes_snapshot() or due:
                self.snapshot()

    def _passes(self, read: bool, debug: bool) -> None:
        """The passes of an iteration; ``read`` waits for losses, ``debug`` emits statistics."""
        train_step = self.train_step
        train_step.begin()
        for on_start, _ in self.callbacks:
            on_start()
        for _ in range(self.solver.iter_size):
            if debug:
                self._emit(Inspected(self.iteration, tuple(train_step.inspect())))
            else:
                train_step.passes()
        if read:
            self._take_losses()

    def _update(self, rate: float, debug: bool) -> None:
        """Update the parameters; with ``debug``, describe the update."""
        now, net = self.iteration, self.net
        for _, on_gradients_ready in self.callbacks:
            on_gradients_ready()
        if not debug:
            self.train_step.update(rate, now)
            return
        before = [param.data.copy() for param in net.store.params]
        self.train_step.update(rate, now)
        self._emit(Inspected(now, tuple(describe_update(net, before))))

    def test(self) -> bool:
        """One pass over every test net: the mean of each output over ``test_iter`` batches.

        Returns whether it completed. If ``stop`` interrupts it, the nets are restored: the resumed
        training repeats the whole test.
        """
        before = [net.state() for net, _ in self.tests]
        with self.average.in_place() if self.average is not None else nullcontext():
            # A rank's own statistics, as those of BatchNorm, are not those that are saved.
            self.ranks.broadcast_array(self.net.store.data)
            for passes in self._test_passes:
                tested = passes.run(self.iteration, self._requests.must_stop)
                if tested is None:
                    for (net, _), state in zip(self.tests, before, strict=True):
                        net.restore(state)
                    return False
                self._emit(tested)
        return True

    def snapshot(self) -> None:
        """Write the files of this iteration, unless its weights are not finite."""
        if self.snapshots is None:
            return
        self._take_losses()
        if self.ranks.rank:
            return
        if not math.isfinite(float(self.net.store.data.sum(dtype=np.float64))):
            raise TrainingError(explain_divergence(self.net, self.iteration))
        history = SolverHistory(
            self.iteration,
            self.snapshots.learned_net(self.iteration),
            self.rule.history(),
            self.schedule.current_step(self.iteration),
        )
        averaged = None
        if self.average is not None:
            with self.average.in_place():
                averaged = self._stored(self.snapshots.hdf5)
        net = self._stored(self.snapshots.hdf5)
        resume = resume_state(*self._resumable())
        model, state = self.snapshots.save(net, history, resume, averaged)
        self._emit(Snapshotted(self.iteration, model, state))

    def restore(self, state: Path) -> None:
        """Resume from a .solverstate: weights, history, iteration and, if protonet wrote the
        snapshot, positions in the data and random numbers.

        Raises:
            FormatError: when a file is damaged or belongs to another net.
        """
        solver_state = read_state(state)
        resume = read_resume(state)
        model = weights_of(state, solver_state.learned_net)
        self.net.load(read_weights(model), str(model))
        self.rule.restore(solver_state.history, str(state))
        self.iteration = solver_state.iteration
        if self.average is not None:
            self.average.restore_beside(model)
        if resume is not None:
            with resume_errors(state):
                restore_resume_state(resume, *self._resumable())

    def _stored(self, hdf5: bool) -> NetParameter | Weights:
        """The net in the form of its file: HDF5 has no size limit, a message has."""
        return self.net.stored_params() if hdf5 else self.net.message()

    def _resumable(self) -> tuple[Net, list[Net], SmoothedLoss, LossScale | None]:
        return self.net, [net for net, _ in self.tests], self.smoothed, self.scale

    def _take_losses(self) -> None:
        for loss in self.ranks.sums(self.train_step.losses.collect()):
            self._take_loss(loss)
        if self.scale is not None:
            self.scale.check()

    def _report_capture_errors(self) -> None:
        tests = (passes.forward_pass.capture_error for passes in self._test_passes)
        self.progress.report_capture_errors(
            self.iteration, self.train_step.capture_errors.union(tests)
        )

    def _take_loss(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise TrainingError(explain_divergence(self.net, self.iteration))
        self.smoothed.add(loss)

    def _conclude(self) -> None:
        """Caffe's last lines: one more forward pass for the loss, and a last test."""
        solver = self.solver
        if solver.display and self.iteration % solver.display == 0:
            self.net.forward()
            self._take_loss(*self.ranks.sums([self.net.loss()]))
            self._emit(Concluded(self.iteration, self.smoothed.value))
        if tests_at(solver, self.iteration):
            self.test()

    def _emit(self, event: Event) -> None:
        """Call all listeners; if one cannot write its file, the iteration is completed first."""
        for listener in self.listeners:
            try:
                listener(event)
            except FormatError as error:
                self._write_error = self._write_error or error
                self._requests.failed = True

    def _give_up(self, error: FormatError) -> None:
        """End with a snapshot, if that can still be written: it may be on another disk."""
        if self.snapshots is not None and self.iteration > self._began:
            with suppress(ProtonetError):
                self.snapshot()
        raise error

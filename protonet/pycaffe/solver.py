"""Caffe's solvers as Python objects."""

from __future__ import annotations

import sys
from collections.abc import Callable
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from protonet.graph import net as graph
from protonet.graph.plan import Plan
from protonet.graph.planning import plan_net
from protonet.jobs.definitions.solver_files import SolverFiles
from protonet.jobs.inference.weights import listed, load_weights
from protonet.jobs.training.new_solver_run import snapshot_prefix
from protonet.layers.base import LayerContext
from protonet.layers.extensions import raising_as_is
from protonet.proto.caffe_pb2 import TEST, TRAIN, SolverParameter
from protonet.proto.text import Source, read_solver
from protonet.pycaffe import mode
from protonet.pycaffe.net import Net
from protonet.pycaffe.parallel import NCCL
from protonet.train.listeners import CaffeLog
from protonet.train.snapshot import Snapshots
from protonet.train.trainer import Trainer


class Solver:
    """A solver of the type that its file names, with its nets.

    ``net`` is the train net, ``test_nets`` use its parameters. What Caffe would log goes to
    standard error. Files are looked up from the working directory, else beside the solver's.

    Raises:
        NetworkError: with every mistake of the solver's text or of a net's.
        UsageError, FormatError: for files that cannot be read.
    """

    type = ""

    def __init__(self, solver_file: str | PathLike[str]) -> None:
        path = Path(fspath(solver_file))
        files = SolverFiles.read(path)
        self.param = SolverParameter()
        self.param.CopyFrom(files.solver)
        if self.type:
            self.param.type = self.type
        seed = mode.seed() if self.param.random_seed < 0 else self.param.random_seed
        context = LayerContext(files.folder, seed)
        device = mode.device()

        def planned(definition: Any, phase: int, state: Any) -> Plan:
            with raising_as_is():
                return plan_net(definition, phase=phase, context=context, splits=True, **state)

        train = graph.Net(planned(files.train, TRAIN, files.train_state), device, seed=seed)
        tests = [
            graph.Net(planned(net, TEST, state), device, seed=seed, params_of=train)
            for net, state in files.tests
        ]
        named = [name for each in self.param.weights for name in listed(each)]
        load_weights(train, [context.find(name) for name in named], mode.log)
        hdf5 = self.param.snapshot_format == SolverParameter.HDF5
        self._trainer = Trainer(
            self.param,
            train,
            list(zip(tests, self.param.test_iter, strict=True)),
            Snapshots(snapshot_prefix(self.param, path), hdf5),
            [CaffeLog(sys.stderr)],
        )
        self._read = self.param.SerializeToString()
        self.net = Net.of(train)
        self.test_nets = [Net.of(net) for net in tests]

    @property
    def iter(self) -> int:
        """Iterations done."""
        return self._trainer.iteration

    @property
    def lr(self) -> float:
        """The learning rate of the next iteration."""
        self._settle()
        return self._trainer.schedule.rate(self.iter)

    def step(self, n: int) -> None:
        """Run ``n`` iterations, with the tests, lines and snapshots that are due in them.

        What was changed in ``param`` since counts from now on.

        Raises:
            TrainingError: when the loss is no longer a finite number.
            SolverError: when ``param`` was given a value that cannot be.
        """
        self._settle()
        self._trainer.advance(int(n))

    def solve(self, resume_file: str | PathLike[str] | None = None) -> None:
        """Train to ``max_iter``, from a .solverstate where one is given.

        Raises:
            TrainingError: when the loss is no longer a finite number.
            FormatError: when the state is damaged or of another net.
        """
        if resume_file is not None:
            self.restore(resume_file)
        self._settle()
        self._trainer.run()

    def restore(self, state_file: str | PathLike[str]) -> None:
        """Resume from a .solverstate.

        Raises:
            FormatError: when it is damaged or of another net.
        """
        self._trainer.restore(Path(fspath(state_file)))

    def snapshot(self) -> None:
        """Write weights and state of this iteration where ``snapshot_prefix`` says."""
        self._trainer.snapshot()

    def apply_update(self) -> None:
        """Update the parameters by their current gradients; the iteration is not counted."""
        self._settle()
        self._trainer.rule.step(self.lr, self.iter)

    def _settle(self) -> None:
        """Take over what scripts changed: blobs, and settings in ``param``."""
        for net in (self.net, *self.test_nets):
            net.settle()
        if self.param.SerializeToString() != self._read:
            self._trainer.reconfigure()
            self._read = self.param.SerializeToString()

    def share_weights(self, net: Net) -> None:
        """Share the parameters of the train net with another net."""
        net.share_with(self.net)

    def add_callback(
        self,
        on_start: Callable[[], Any] | NCCL,
        on_gradients_ready: Callable[[], Any] | None = None,
    ) -> None:
        """Call one function before the passes of each iteration, another before its update.

        An ``NCCL`` alone is taken too: with one process it has nothing to do.
        """
        if isinstance(on_start, NCCL):
            return
        if on_gradients_ready is None:
            raise TypeError("expected add_callback(on_start, on_gradients_ready)")
        self._trainer.callbacks.append((on_start, on_gradients_ready))


class SGDSolver(Solver):
    """Stochastic gradient descent with momentum, whatever type the file names."""

    type = "SGD"


class NesterovSolver(Solver):
    """Nesterov's accelerated gradient."""

    type = "Nesterov"


class AdaGradSolver(Solver):
    """AdaGrad."""

    type = "AdaGrad"


class RMSPropSolver(Solver):
    """RMSProp."""

    type = "RMSProp"


class AdaDeltaSolver(Solver):
    """AdaDelta."""

    type = "AdaDelta"


class AdamSolver(Solver):
    """Adam."""

    type = "Adam"


_SOLVERS = {cls.type: cls for cls in Solver.__subclasses__()}


def get_solver(solver_file: str | PathLike[str]) -> Solver:
    """A solver of the class of the file's ``type``.

    Raises:
        UsageError: when the file cannot be read.
        NetworkError: for mistakes in it.
    """
    kind = read_solver(Source.read(fspath(solver_file))).type
    return _SOLVERS.get(kind, Solver)(solver_file)

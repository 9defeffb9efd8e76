"""How an iteration runs: eagerly, or captured as CUDA graphs."""

from __future__ import annotations

from typing import Any

import numpy as np

from protonet.blob import Shape
from protonet.cuda_graph import GraphedCallable
from protonet.graph.capture import can_capture, run_data_layers, run_forward
from protonet.graph.inspection import describe_passes
from protonet.graph.net import Net
from protonet.graph.parameters import rewrite_gradients
from protonet.kernels.gradients import ZeroGradients
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.ranks.communicator import ALONE, Communicator
from protonet.solvers.loss_scale import LossScale
from protonet.solvers.update_rule import Rule
from protonet.train.gradient_sum import GradientSum
from protonet.train.losses import Losses, losses_of

_OLD_NCCL = "the sums over ranks: this version of NCCL cannot be captured"


class TrainStep:
    """The passes and the update of an iteration, run eagerly."""

    can_iterate = False
    """Whether ``iterate`` is available, which runs a whole iteration as one graph."""
    capture_errors: frozenset[str] = frozenset()
    """Why parts of the iteration could not be captured."""

    def __init__(
        self,
        net: Net,
        rule: Rule,
        losses: Losses,
        scale: LossScale | None = None,
        ranks: Communicator = ALONE,
        sent: Any = np.float32,
    ) -> None:
        self.net, self.rule, self.losses, self.scale = net, rule, losses, scale
        self._ranks = ranks
        self._sum = None if ranks.alone else GradientSum(net, ranks, sent)
        self._left = 0
        self._zeros = ZeroGradients.make(net.device, net.store.diff.dtype)
        self._accumulated = [net.store.diff]

    def overwrite_gradients(self) -> None:
        """Make backward passes write gradients where they can, instead of adding to zeros: for
        iterations of one pass, where nothing else accumulates gradients.
        """
        self._accumulated = rewrite_gradients(self.net.plan, self.net.layers, self.net.store)

    def begin(self) -> None:
        """Begin an iteration: zero the gradients that are accumulated."""
        self.losses.count()
        self._left = self.losses.passes
        self._clear()

    def passes(self) -> None:
        """Forward and backward, with the next batch."""
        self.net.forward()
        self._left -= 1
        if self._sum is None or self._left:
            self.net.backward()
        else:
            self._sum.backward()
        self.losses.take()

    def inspect(self) -> list[str]:
        """Run ``passes`` layer by layer; returns lines that describe every blob."""
        lines = describe_passes(self.net)
        self._left -= 1
        self._begin_sums()
        self.losses.take()
        return lines

    def update(self, rate: float, iteration: int) -> None:
        """Update the parameters."""
        self._wait_for_sums()
        self._settle()
        self.rule.step(rate, iteration)

    def iterate(self, rate: float, iteration: int) -> None:
        """Begin, one forward and backward pass, update."""
        raise NotImplementedError

    def close(self) -> None:
        """Release what was captured."""

    def _begin_sums(self) -> None:
        """Begin the sums after the last backward pass."""
        if self._sum is not None and not self._left:
            self._sum.begin_all()

    def _wait_for_sums(self) -> None:
        if self._sum is not None:
            self._sum.wait()

    def _settle(self) -> None:
        """Divide the gradients by the loss scale."""
        if self.scale is not None:
            self.scale.settle()

    def _clear(self) -> None:
        for part in self._accumulated:
            self._zeros.clear(part)
        self.losses.begin()


class CapturedTrainStep(TrainStep):
    """On a GPU: all work that does not depend on the host is captured (``protonet.cuda_graph``).

    What changes between iterations lies in GPU memory: the batch, which data layers copy there
    before the launch; the learning rate, which ``Rule.prepare`` writes; the pass counter, which the
    graph itself advances. Losses stay there until they are read. An iteration is one graph where
    nothing happens between its passes and its update; otherwise they are two. The sums over
    ``ranks`` are captured with the last pass where that is possible; otherwise they are made
    between the two graphs.
    """

    can_iterate = True

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._capture_sums = self._sum is not None and self._ranks.capturable
        self._sum_error = "" if self._capture_sums or self._sum is None else _OLD_NCCL
        self._make_graphs()

    def _make_graphs(self) -> None:
        net, rule = self.net, self.rule

        def key() -> tuple[int, int]:
            return net.version, rule.version

        def variant() -> tuple[bool, tuple[Shape, ...]]:
            return self._sums_now, net.batch

        def any_failed(failed: bool) -> bool:
            return self._ranks.any_of(failed)[0]

        self._passes_graph = GraphedCallable(net.device, self._run_passes, key, variant, any_failed)
        self._update_graph = GraphedCallable(net.device, self._apply_update, key)
        self._iteration_graph = GraphedCallable(net.device, self._iterate, key, variant, any_failed)

    @property
    def capture_errors(self) -> frozenset[str]:  # type: ignore[override]  # only read
        """Why parts of the iteration could not be captured."""
        parts = (self._passes_graph, self._update_graph, self._iteration_graph)
        errors = (self._sum_error, *(part.capture_error for part in parts))
        return frozenset(error for error in errors if error)

    @property
    def _sums_now(self) -> bool:
        """Whether this pass is the last one, with which sums are captured."""
        return self._capture_sums and not self._left

    def passes(self) -> None:
        """Forward and backward, with the next batch."""
        run_data_layers(self.net)
        self._left -= 1
        summed = self._sums_now
        self._launch(self._passes_graph)
        if not summed:
            self._begin_sums()
        self.net.clock.count()

    def update(self, rate: float, iteration: int) -> None:
        """Update the parameters."""
        self._wait_for_sums()
        self.rule.prepare(rate, iteration)
        self._update_graph()

    def iterate(self, rate: float, iteration: int) -> None:
        """Begin, one forward and backward pass, update."""
        if self._sum is not None and not self._capture_sums:
            self.begin()
            self.passes()
            self.update(rate, iteration)
            return
        self.losses.count()
        self._left = 0
        run_data_layers(self.net)
        self.rule.prepare(rate, iteration)
        self._launch(self._iteration_graph)
        self.net.clock.count()

    def close(self) -> None:
        """Release the graphs: NCCL waits until those with its sums are gone before it ends."""
        for graph in (self._passes_graph, self._update_graph, self._iteration_graph):
            graph.reset()

    def _launch(self, graph: GraphedCallable) -> None:
        """Run a graph; where it cannot be captured with its sums, the next ones are without."""
        graph()
        if graph.capture_error and self._capture_sums:
            self._sum_error = f"the sums over ranks: {graph.capture_error}"
            self._capture_sums = False
            self._make_graphs()

    def _iterate(self) -> None:
        self._clear()
        self._run_passes()
        self._apply_update()

    def _run_passes(self) -> None:
        run_forward(self.net)
        if self._sum is not None and self._sums_now:
            self._sum.backward()
            self._sum.wait()
        else:
            self.net.backward()
        self.losses.take()

    def _apply_update(self) -> None:
        self._settle()
        self.rule.launch()


def make_train_step(
    solver: SolverParameter,
    net: Net,
    rule: Rule,
    scale: LossScale | None = None,
    ranks: Communicator = ALONE,
    sent: Any = np.float32,
    *,
    alone: bool = False,
) -> TrainStep:
    """The fastest kind for a net, a rule, and the ranks, which send gradients in type ``sent``.

    With ``alone`` nothing else accumulates gradients.
    """
    losses = losses_of(net, solver.iter_size, max(1, solver.average_loss))
    kind = CapturedTrainStep if can_capture(net) and rule.capturable else TrainStep
    train_step = kind(net, rule, losses, scale, ranks, sent)
    if alone and solver.iter_size == 1:
        train_step.overwrite_gradients()
    return train_step

"""The means of a net's outputs over a full data set, each record once, or over some batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.jobs.definitions.inputs import ImageLayer
from protonet.jobs.evaluation.detection import DetectionCollector, DetectionReport
from protonet.jobs.evaluation.outputs import average_outputs
from protonet.jobs.evaluation.regression import VectorCollector, VectorReport, vector_losses
from protonet.jobs.evaluation.segmentation import SegmentationCollector, SegmentationReport
from protonet.jobs.inference.open_net import NetOptions, open_net
from protonet.jobs.inference.weights import Notify
from protonet.layers.evaluation import DetectionEvaluate
from protonet.proto.text import NetDefinition
from protonet.train.events import Output
from protonet.train.metrics.detection import detections_of

Opener = Callable[[int | None], Net]
"""Opens the net with this batch size; None for that of its definition."""

Show = Callable[[int, list[Output]], None]
"""Called with the outputs of each batch."""


def opener(model: Path | NetDefinition, options: NetOptions, notify: Notify | None) -> Opener:
    """An opener of a net for ``average_set``, which reads the bottoms of losses over vectors, and
    the boxes of detectors.

    ``notify`` gets the notes of ``open_net``, for the net with the batch size of its definition.
    """

    def opened(batch_size: int | None) -> Net:
        return open_net(
            model,
            replace(options, batch_size=batch_size),
            reads_inner_blobs=lambda plan: bool(vector_losses(plan) or detections_of(plan)),
            notify=notify if batch_size is None else None,
        )

    return opened


@dataclass(frozen=True)
class Averages:
    """Means of the objective and of each output, reports on vectors, the number of records if
    each was seen once, the report on the pixels of a segmentation, and those on detectors.
    """

    loss: float
    outputs: Sequence[Output]
    reports: Sequence[VectorReport]
    length: int | None
    pixels: SegmentationReport | None = None
    detectors: Sequence[DetectionReport] = ()


class _Collectors:
    """What collects from the passes of a net, and of another one with a smaller batch."""

    def __init__(self, net: Net) -> None:
        self._net, self._vectors, self._pixels = net, VectorCollector(net), SegmentationCollector()
        self._boxes = DetectionCollector(net.plan)

    def switch_to(self, net: Net) -> None:
        self._net = net
        self._vectors.switch_to(net)

    def take(self) -> None:
        """Collect from the last forward pass."""
        self._vectors.take()
        self._pixels.take(self._net)
        self._boxes.take(self._net)

    def averages(self, loss: float, outputs: Sequence[Output], length: int | None) -> Averages:
        """With the reports on all passes."""
        reports = self._pixels.report(), self._boxes.reports()
        return Averages(loss, outputs, self._vectors.reports(), length, *reports)


@dataclass(frozen=True)
class FullDataset:
    """How to see each of ``length`` records once: full batches, and a smaller last one."""

    length: int
    batch_size: int

    @property
    def batches(self) -> int:
        """The number of full batches."""
        return self.length // self.batch_size

    @property
    def rest(self) -> int:
        """The records of the last batch, if it is not full."""
        return self.length % self.batch_size

    @staticmethod
    def of(plan: Plan) -> FullDataset | None:
        """Of the net's databases; None if there are none, or of different lengths."""
        layers = [step.layer for step in plan.steps if isinstance(step.layer, ImageLayer)]
        found = {(layer.length, layer.batch_size) for layer in layers}
        return FullDataset(*found.pop()) if len(found) == 1 else None

    def seek_to_remainder(self, net: Net) -> None:
        """Start a net for the last batch behind the full ones."""
        state = net.state()
        for step in net.plan.steps:
            if isinstance(step.layer, ImageLayer):
                state["layers"][step.name] = {"position": self.batches * self.batch_size}
            if isinstance(step.layer, DetectionEvaluate):
                state["layers"][step.name] = {"seen": self.batches * self.batch_size}
        net.restore(state)

    def mean(
        self, full: tuple[float, list[Output]], last: tuple[float, list[Output]]
    ) -> tuple[float, list[Output]]:
        """The means over all records, from the full batches and the last one. Blobs of which both
        have other numbers of elements, such as the rows of a detector, have none.
        """
        counts = [Counter(output.name for output in outputs) for _, outputs in (full, last)]
        kept = [
            [each for each in outputs if counts[0][each.name] == counts[1][each.name]]
            for _, outputs in (full, last)
        ]
        share = self.rest / self.length

        def mixed(value: float, other: float) -> float:
            return (1 - share) * value + share * other

        outputs = [
            replace(one, value=mixed(one.value, other.value))
            for one, other in zip(*kept, strict=True)
        ]
        return mixed(full[0], last[0]), outputs


def average_set(opened: Opener, batches: int, show: Show, *, once: bool) -> Averages:
    """Average a net's outputs over a number of batches; with ``once``, over each record of its
    databases once, if they have equal lengths.

    Raises:
        UsageError: for less than one iteration.
    """
    net = opened(None)
    collector = _Collectors(net)

    def told(first: int) -> Show:
        def take(index: int, outputs: list[Output]) -> None:
            collector.take()
            show(first + index, outputs)

        return take

    try:
        whole = FullDataset.of(net.plan) if once else None
        if whole is not None and whole.batches:
            batches = whole.batches
        if whole is not None and not whole.batches:
            net.close()
            net = opened(whole.rest)
            collector.switch_to(net)
            whole, batches = FullDataset(whole.length, whole.length), 1
        found = average_outputs(net, batches, told(0))
    finally:
        net.close()
    if whole is not None and whole.rest:
        last = opened(whole.rest)
        try:
            whole.seek_to_remainder(last)
            collector.switch_to(last)
            found = whole.mean(found, average_outputs(last, 1, told(batches)))
        finally:
            last.close()
    return collector.averages(*found, None if whole is None else whole.length)

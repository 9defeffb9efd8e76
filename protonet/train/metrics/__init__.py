"""Figures of test passes that are no means of a net's outputs: they count over all batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.solvers.evaluation import ap_version
from protonet.train.events import Output
from protonet.train.metrics.detection import DetectionMeter, detections_of
from protonet.train.metrics.segmentation import SegmentationMeter, segmentation_loss


class Meter(Protocol):
    """Counts over the passes of a test.

    ``output`` is the name of the net's output whose means its figures replace, "" for none.
    """

    @property
    def output(self) -> str:
        """The output that the figures replace."""

    def take(self, net: Net) -> None:
        """Count the last forward pass of a net."""

    def counts(self) -> Any:
        """What was counted since the last call, to be sent to other ranks; None for no pass."""

    def outputs(self, counts: Sequence[Any]) -> list[Output]:
        """The figures of neighbouring passes, in their order; none of no pass."""


def keeping_measured(plan: Plan) -> Plan:
    """The plan whose nets keep the values that its meters read, also where blobs share memory."""
    loss = segmentation_loss(plan)
    kept = [] if loss is None else list(loss.bottoms[:2])
    for detections in detections_of(plan):
        kept += [detections.found, detections.truths]
    return plan.keeping(kept) if kept else plan


def meters_of(net: Net, solver: SolverParameter | None = None) -> list[Meter]:
    """What counts over the passes of a test net; of ``solver`` as it evaluates detectors.

    Raises:
        SolverError: for another ``ap_version`` than there are.
    """
    solver = SolverParameter() if solver is None else solver
    version, by_class = ap_version(solver), solver.show_per_class_result
    meters: list[Meter] = [
        DetectionMeter(at, detections.output, version, by_class=by_class)
        for at, detections in enumerate(detections_of(net.plan))
    ]
    if segmentation_loss(net.plan) is not None:
        meters.append(SegmentationMeter())
    return meters

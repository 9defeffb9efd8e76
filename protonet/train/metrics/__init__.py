"""Figures of test passes that are no means of a net's outputs: they count over all batches."""

from __future__ import annotations

from typing import Protocol

from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.train.events import Output
from protonet.train.metrics.segmentation import SegmentationMeter, segmentation_loss


class Meter(Protocol):
    """Counts over the passes of a test."""

    def take(self, net: Net) -> None:
        """Count the last forward pass of a net."""

    def outputs(self) -> list[Output]:
        """The figures of all passes since the last call."""


def keeping_measured(plan: Plan) -> Plan:
    """The plan whose nets keep the values that its meters read, also where blobs share memory."""
    loss = segmentation_loss(plan)
    return plan if loss is None else plan.keeping(loss.bottoms[:2])


def meters_of(net: Net) -> list[Meter]:
    """What counts over the passes of a test net."""
    return [] if segmentation_loss(net.plan) is None else [SegmentationMeter()]

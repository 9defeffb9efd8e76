"""The means of a net's outputs over a number of batches."""

from __future__ import annotations

from collections.abc import Callable

from protonet.errors import UsageError
from protonet.graph.capture import ForwardPass
from protonet.graph.net import Net
from protonet.train.events import Output
from protonet.train.metrics.detection import detections_of
from protonet.train.testing import mean_outputs


def average_outputs(
    net: Net, iterations: int, watch: Callable[[int, list[Output]], None] | None = None
) -> tuple[float, list[Output]]:
    """Run the net ``iterations`` times; the mean of the objective and of every output, but for the
    boxes of detectors, of which there is no mean.

    ``watch`` is called with the outputs of each batch.

    Raises:
        UsageError: for less than one iteration.
    """
    if iterations < 1:
        raise UsageError(f"expected 1 iteration or more, got {iterations}")
    boxes = {detections.output for detections in detections_of(net.plan)}
    found = mean_outputs(ForwardPass(net), iterations, without=boxes, watch=watch)
    assert found is not None, "nobody stops it"
    return found

"""Calibration: what values the blobs of a net take on some records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from protonet.errors import DataError
from protonet.graph.capture import ForwardPass
from protonet.graph.names import Value
from protonet.graph.net import Net
from protonet.jobs.quantization.histogram import Histogram
from protonet.jobs.quantization.records import Block, Records

Progress = Callable[[int, int], None]
"""Called with the number of records done and of all."""


def calibrate(
    net: Net,
    wanted: Sequence[Value],
    records: Records,
    blocks: Sequence[Block],
    progress: Progress = lambda _, __: None,
) -> Mapping[Value, Histogram]:
    """Histograms of values of a net.

    Args:
        net: with its weights.
        wanted: values that can be read after a pass, the first computed first.
        records: what the net sees.
        blocks: of the records.
        progress: of the records.

    Raises:
        DataError: for records that cannot be read, and naming the first blob that has a value that
            is not finite.
    """
    forward_pass = ForwardPass(net)
    found = {value: Histogram() for value in wanted}
    done, total = 0, sum(block.count for block in blocks)
    for block in blocks:
        records.put(net, block)
        forward_pass.run()
        for value, histogram in found.items():
            _add(net, value, histogram, block)
        done += block.count
        progress(done, total)
    return found


def _add(net: Net, value: Value, histogram: Histogram, block: Block) -> None:
    values = np.asarray(net.device.get(net.data_of(value)))
    try:
        histogram.add(values[: block.count] if values.ndim else values)
    except ValueError:
        maker = net.plan.steps[value.producer]
        raise DataError(
            f"{net.plan.definition.source.name}: blob '{value.name}', top of layer "
            f"'{maker.name}' ({maker.type}), has values that are not finite (records "
            f"{block.first} to {block.first + block.count - 1}); a range needs finite ones. Look "
            "at the weights, and at how the data is scaled"
        ) from None

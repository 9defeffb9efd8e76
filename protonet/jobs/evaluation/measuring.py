"""A net at work: how long its layers take, what it says of its data, what it sees in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from protonet.blob import Shape
from protonet.data.create import Progress
from protonet.data.datum import make_datum
from protonet.data.writer import DatabaseWriter
from protonet.device import Device
from protonet.errors import UsageError
from protonet.graph.cost import arithmetic, traffic
from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.graph.planning import plan_net
from protonet.graph.repeating import Asking
from protonet.graph.timing import Span, seconds_by_step, time_iteration
from protonet.jobs.checks.memory import check_inference
from protonet.jobs.checks.pairing import plan_pairs
from protonet.jobs.definitions.inputs import with_batch_size
from protonet.jobs.inference.weights import Tell, listed, load_weights
from protonet.layers.base import LayerContext
from protonet.proto.text import NetDefinition, Source, read_net
from protonet.train.events import Output
from protonet.train.testing import mean_outputs


@dataclass(frozen=True)
class LayerTime:
    """Mean seconds of one layer, and what it computes and touches in a forward pass."""

    name: str
    type: str
    forward: float
    backward: float
    arithmetic: int
    traffic: int


@dataclass(frozen=True)
class Timing:
    """The layers, and mean seconds of whole passes."""

    layers: tuple[LayerTime, ...]
    forward: float
    backward: float
    iterations: int


def open_net(
    model: Path | NetDefinition,
    *,
    phase: int,
    level: int = 0,
    stages: tuple[str, ...] = (),
    weights: str = "",
    device: str = "cpu",
    gradients: bool | None = None,
    memory_limit: int | None = None,
    looked_at: Callable[[Plan], bool] | None = None,
    fuse: bool = False,
    tell: Tell | None = None,
    python_layers: bool = True,
    batch_size: int | None = None,
) -> Net:
    """The net of a prototxt, or of one that is read already, with weights (a comma list of files)
    on a device. Close it.

    ``looked_at`` says whether somebody reads blobs other than inputs and outputs; where nobody
    does, they share memory; None for yes. ``fuse`` lets layers compute those behind them, where
    nobody looks between. ``tell`` hears of weights that fit no layer, and of layers without any.
    Without ``python_layers`` a network whose layers run code or write files is refused.
    ``batch_size`` stands for that of the text.

    Raises:
        NetworkError, DataError: for a net that cannot be built.
        UsageError, FormatError: for files that cannot be read, or weights of another net.
        DeviceError: for a processor that is not there, or a net without gradients that needs more
            than the limit.
    """
    processor = Device(device)
    definition = model if isinstance(model, NetDefinition) else read_net(Source.read(model))
    folder = Path(definition.source.name).parent
    context = LayerContext(folder=folder, python_layers=python_layers)
    if batch_size is not None:
        definition = with_batch_size(definition, batch_size)
    plan = plan_net(definition, phase=phase, level=level, stages=stages, context=context)
    try:
        for line in plan_pairs(plan):
            if tell is not None:
                tell(line)
        packed = looked_at is not None and not looked_at(plan)
        check_inference(plan, memory_limit, packed=packed, fuse=fuse)
        net = Net(plan, processor, gradients=gradients, packed=packed, fuse=fuse)
    except BaseException:
        plan.close()
        raise
    try:
        load_weights(net, listed(weights), tell)
    except BaseException:
        net.close()
        raise
    return net


def time_net(net: Net, iterations: int) -> Timing:
    """Run the net ``iterations`` times, each layer by itself, after one pass that does not count.

    Raises:
        UsageError: for less than one iteration.
    """
    if iterations < 1:
        raise UsageError(f"expected 1 iteration or more, got {iterations}")
    steps = net.plan.steps
    time_iteration(net)
    forward, backward = np.zeros(len(steps) + 1), np.zeros(len(steps) + 1)
    whole = np.zeros(2)
    for _ in range(iterations):
        spans = time_iteration(net)
        forward += seconds_by_step(spans, "forward", len(steps))
        backward += seconds_by_step(spans, "backward", len(steps))
        whole += [_extent(spans, kind) for kind in ("forward", "backward")]
    layers = tuple(
        LayerTime(
            step.name,
            step.type,
            float(forward[index]) / iterations,
            float(backward[index]) / iterations,
            arithmetic(step),
            traffic(step),
        )
        for index, step in enumerate(steps)
    )
    ahead, back = (float(each) / iterations for each in whole)
    return Timing(layers, ahead, back, iterations)


def _extent(spans: Sequence[Span], kind: str) -> float:
    """From the begin of the first span of a kind to the end of the last."""
    found = [span for span in spans if span.kind == kind]
    return found[-1].began + found[-1].seconds - found[0].began if found else 0.0


def average_outputs(
    net: Net, iterations: int, watch: Callable[[int, list[Output]], None] | None = None
) -> tuple[float, list[Output]]:
    """Run the net ``iterations`` times; the mean of the objective and of every output.

    ``watch`` is told the outputs of each batch.

    Raises:
        UsageError: for less than one iteration.
    """
    if iterations < 1:
        raise UsageError(f"expected 1 iteration or more, got {iterations}")
    found = mean_outputs(Asking(net), iterations, watch=watch)
    assert found is not None, "nobody stops it"
    return found


def extract_features(
    net: Net,
    databases: Mapping[str, Path],
    batches: int,
    progress: Progress | None = None,
    *,
    backend: str = "lmdb",
) -> int:
    """Store the items of blobs, by name, in new databases ("lmdb" or "leveldb"); returns the
    number of items.

    Keys count the items with ten digits, as Caffe's extract_features has them. A blob N x K goes
    in as K x 1 x 1, one of more axes as K x H x W.

    Raises:
        UsageError: when a database exists.
        DataError: when one cannot be written. Whatever was begun is removed.
    """
    count = 0
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(DatabaseWriter(path, backend=backend))
            for name, path in databases.items()
        }
        asking = Asking(net)
        for batch in range(batches):
            asking.forward()
            items = 0
            for name, writer in writers.items():
                values = np.asarray(net.device.get(net.blobs[name].data), np.float32)
                items = len(values)
                planes = values.reshape(items, *_planes(values.shape[1:]))
                for place, item in enumerate(planes):
                    writer.put(f"{count + place:010d}".encode(), make_datum(item))
            count += items
            if progress is not None:
                progress(batch + 1, batches)
    return count


def _planes(shape: Shape) -> Shape:
    """Three axes of an item: channels first, what follows them flattened into two."""
    padded = (*shape, 1, 1, 1)
    return (padded[0], padded[1], int(np.prod(padded[2:])))

"""A net is opened from a prototxt: planned, checked, built, and its weights loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from protonet.device import Device
from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.graph.planning import plan_net
from protonet.jobs.checks.memory import check_inference
from protonet.jobs.checks.pairing import plan_pairs
from protonet.jobs.definitions.inputs import with_batch_size
from protonet.jobs.inference.weights import Tell, listed, load_weights
from protonet.layers.base import LayerContext
from protonet.proto.text import NetDefinition, Source, read_net


@dataclass(frozen=True, kw_only=True)
class Opening:
    """What is wanted of a net: the state that it is in, its weights, and how it computes.

    ``weights`` is a comma list of files. ``gradients`` None means as the text and its phase
    have it. ``memory_limit`` is how many bytes a net without gradients may take. ``fuse`` lets
    layers compute those behind them, where nobody looks between. Without ``python_layers`` a
    network whose layers run code or write files is refused. ``batch_size`` stands for that of the
    text.
    """

    phase: int
    level: int = 0
    stages: tuple[str, ...] = ()
    weights: str = ""
    device: str = "cpu"
    gradients: bool | None = None
    memory_limit: int | None = None
    fuse: bool = False
    python_layers: bool = True
    batch_size: int | None = None


def open_net(
    model: Path | NetDefinition,
    wanted: Opening,
    *,
    looked_at: Callable[[Plan], bool] | None = None,
    tell: Tell | None = None,
) -> Net:
    """The net of a prototxt, or of one that is read already. Close it.

    ``looked_at`` says whether somebody reads blobs other than inputs and outputs; where nobody
    does, they share memory; None for yes. ``tell`` hears of weights that fit no layer, and of
    layers without any.

    Raises:
        NetworkError, DataError: for a net that cannot be built.
        UsageError, FormatError: for files that cannot be read, or weights of another net.
        DeviceError: for a processor that is not there, or a net without gradients that needs more
            than the limit.
    """
    processor = Device(wanted.device)
    plan = _planned(model, wanted)
    try:
        for line in plan_pairs(plan):
            if tell is not None:
                tell(line)
        packed = looked_at is not None and not looked_at(plan)
        check_inference(plan, wanted.memory_limit, packed=packed, fuse=wanted.fuse)
        net = Net(plan, processor, gradients=wanted.gradients, packed=packed, fuse=wanted.fuse)
    except BaseException:
        plan.close()
        raise
    try:
        load_weights(net, listed(wanted.weights), tell)
    except BaseException:
        net.close()
        raise
    return net


def _planned(model: Path | NetDefinition, wanted: Opening) -> Plan:
    """The plan of a text; files that it names are looked up beside it."""
    definition = model if isinstance(model, NetDefinition) else read_net(Source.read(model))
    folder = Path(definition.source.name).parent
    context = LayerContext(folder=folder, python_layers=wanted.python_layers)
    if wanted.batch_size is not None:
        definition = with_batch_size(definition, wanted.batch_size)
    return plan_net(
        definition, phase=wanted.phase, level=wanted.level, stages=wanted.stages, context=context
    )

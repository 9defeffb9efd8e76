"""Opening a net from a prototxt: plan, check, build, and load its weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protonet.device import Device
from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.graph.planning import plan_net
from protonet.jobs.checks.memory import check_inference
from protonet.jobs.checks.pairing import plan_pairs
from protonet.jobs.definitions.inputs import with_batch_size
from protonet.jobs.inference.deployed import int8_note
from protonet.jobs.inference.weights import Notify, listed, load_weights, quantized
from protonet.jobs.reading.network import read_network
from protonet.layers.base import LayerContext
from protonet.precision import type_of
from protonet.proto.text import NetDefinition
from protonet.train.metrics import keeping_measured


@dataclass(frozen=True, kw_only=True)
class NetOptions:
    """How to open a net: its state, its weights, and how it computes.

    ``weights`` is a comma-separated list of files. ``gradients`` None means as the definition and
    its phase say. ``memory_limit`` is in bytes, for a net without gradients. ``fuse`` fuses layers
    whose intermediate blobs are not read. Without ``python_layers`` a network with layers that run
    code or write files is refused. ``batch_size`` replaces that of the definition. ``precision``
    is the type of blobs, of ``PRECISIONS``, where 16 bits suffice; None for float32, and 8-bit
    integers with quantized weights.
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
    precision: str | None = None


def open_net(
    model: Path | NetDefinition,
    options: NetOptions,
    *,
    reads_inner_blobs: Callable[[Plan], bool] | None = None,
    notify: Notify | None = None,
) -> Net:
    """The net of a file (prototxt, Lua or .t7) or a parsed definition. Close it. Without weights
    in the options it has those that the definition brings.

    ``reads_inner_blobs`` says whether the caller reads blobs other than inputs and outputs (None:
    yes); if not, blobs share memory. ``notify`` is called with a line about weights that match no
    layer, and about layers without weights.

    Raises:
        NetworkError, DataError: for a net that cannot be built.
        UsageError, FormatError: for unreadable files, or weights of another net.
        DeviceError: for an absent device, or a net without gradients that exceeds the limit.
    """
    processor = Device(options.device)
    definition = model if isinstance(model, NetDefinition) else read_network(model)
    plan = keeping_measured(_planned(definition, options))
    try:
        for line in plan_pairs(plan):
            if notify is not None:
                notify(line)
        packed = reads_inner_blobs is not None and not reads_inner_blobs(plan)
        check_inference(plan, options.memory_limit, packed=packed, fuse=options.fuse)
        net = _built(plan, processor, options, notify, packed=packed)
    except BaseException:
        plan.close()
        raise
    try:
        if definition.weights is not None and not options.weights:
            net.load(definition.weights(), definition.source.name)
        load_weights(net, listed(options.weights), notify)
    except BaseException:
        net.close()
        raise
    return net


def _built(
    plan: Plan, device: Device, options: NetOptions, notify: Notify | None, *, packed: bool
) -> Net:
    """The net of a plan; ``packed`` nets compute in 8-bit integers if their weights were
    quantized.
    """
    int8 = quantized(listed(options.weights)) if packed and options.precision is None else {}
    note = int8_note(int8, device)
    if note and notify is not None:
        notify(note)
    how: Any = {"packed": packed, "fuse": options.fuse, "keep_weights": bool(int8), "int8": int8}
    precision = type_of(options.precision or "float32")
    return Net(plan, device, gradients=options.gradients, precision=precision, **how)


def _planned(definition: NetDefinition, options: NetOptions) -> Plan:
    """The plan of a definition; files that it names are looked up in its folder."""
    folder = Path(definition.source.name).parent
    context = LayerContext(folder=folder, python_layers=options.python_layers)
    if options.batch_size is not None:
        definition = with_batch_size(definition, options.batch_size)
    return plan_net(
        definition, phase=options.phase, level=options.level, stages=options.stages, context=context
    )

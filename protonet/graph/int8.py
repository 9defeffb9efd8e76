"""Inference in 8-bit integers: whose ranges it needs, and how a file of weights holds them.

A file of weights that was quantized has an ``int8_param`` in its layers, with what was measured of
their bottoms and tops: ``measured_values`` says of which values, ``int8_params`` makes the fields
of the measurements, ``ranges_of`` reads them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from protonet.device import Device
from protonet.graph.fusion import fuse
from protonet.graph.integers import Range, with_integers
from protonet.graph.names import Value
from protonet.graph.plan import Plan
from protonet.kernels.int8 import SUPPORTED
from protonet.layers.int8 import can_take_codes
from protonet.proto.caffe_pb2 import Int8Parameter


def computes_in_integers(device: Device) -> bool:
    """Whether a device has kernels for 8-bit integers: processors with AVX512_VNNI, or with AVX2
    and no AVX-512. Elsewhere nets compute in float32; a device without tuned kernels runs the
    definitions.
    """
    return device.is_cpu and (not device.tuned or SUPPORTED.holds())


def quantized(plan: Plan, params: Mapping[str, Int8Parameter]) -> Plan:
    """The plan, fused already, with layers in 8-bit integers where ranges are known."""
    ranges = ranges_of(plan, params)
    return with_integers(plan, ranges) if ranges else plan


def integer_layers(plan: Plan) -> tuple[str, ...]:
    """The names of the layers that can compute in 8-bit integers, once ranges are known."""
    return tuple(step.name for step in plan.steps if can_take_codes(step.layer, step.shapes))


def measured_values(plan: Plan) -> tuple[Value, ...]:
    """The values whose ranges must be measured, of a plan in phase TEST that is not yet fused: the
    bottoms of layers that can compute in 8 bits, with BatchNorm, Scale and ReLU folded into the
    layers before them. ``Net(plan.keeping(values), ..., packed=True)`` computes them.
    """
    found = {
        bottom: None
        for step in fuse(plan, gradients=False, sums=False).steps
        if step.absorbed_by is None and can_take_codes(step.layer, step.shapes)
        for bottom in step.bottoms
    }
    return tuple(found)


def int8_params(plan: Plan, ranges: Mapping[Value, Range]) -> dict[str, Int8Parameter]:
    """The ``int8_param`` of each layer that reads or writes one of the measured values, by name."""
    found: dict[str, Int8Parameter] = {}
    for step in plan.steps:
        if not any(value in ranges for value in (*step.bottoms, *step.tops)):
            continue
        found[step.name] = Int8Parameter(
            bottom=_fields(step.bottoms, ranges), top=_fields(step.tops, ranges)
        )
    return found


def ranges_of(plan: Plan, params: Mapping[str, Int8Parameter]) -> dict[Value, Range]:
    """The ranges of values of a plan, from the ``int8_param`` of layers by name.

    Those of other nets are ignored, and so are ranges that are not finite.
    """
    found: dict[Value, Range] = {}
    for step in plan.steps:
        given = params.get(step.name)
        if given is None:
            continue
        for values, fields in ((step.tops, given.top), (step.bottoms, given.bottom)):
            if len(values) != len(fields):
                continue
            for value, field in zip(values, fields, strict=True):
                measured = field.HasField("low") and field.HasField("high")
                if measured and math.isfinite(field.low) and math.isfinite(field.high):
                    found.setdefault(value, (field.low, field.high))
    return found


def _fields(values: Sequence[Value], ranges: Mapping[Value, Range]) -> list[Int8Parameter.Range]:
    """A range for each value; an empty one where nothing was measured."""
    known = [ranges.get(value) for value in values]
    return [
        Int8Parameter.Range() if each is None else Int8Parameter.Range(low=each[0], high=each[1])
        for each in known
    ]

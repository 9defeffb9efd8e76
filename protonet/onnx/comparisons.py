"""Converters of comparisons: 1 where they hold, else 0."""

from __future__ import annotations

from protonet.onnx.conversion import Conversion, converts
from protonet.proto.caffe_pb2 import CompareParameter


@converts("Threshold")
def threshold(c: Conversion) -> str:
    return c.cast(c.op("Greater", c.bottoms[0], c.constant(c.layer.threshold)))


_COMPARED = {
    CompareParameter.EQ: "Equal",
    CompareParameter.LT: "Less",
    CompareParameter.LE: "LessOrEqual",
    CompareParameter.GT: "Greater",
    CompareParameter.GE: "GreaterOrEqual",
}


@converts("Compare")
def compare(c: Conversion) -> str:
    given = c.layer.spec.compare_param
    other = c.bottoms[1] if len(c.bottoms) > 1 else c.constant(given.value)
    if given.operation == CompareParameter.NE:
        return c.cast(c.op("Not", c.op("Equal", c.bottoms[0], other)))
    return c.cast(c.op(_COMPARED[given.operation], c.bottoms[0], other))

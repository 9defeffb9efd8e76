"""Converters of layers of optical flow."""

from __future__ import annotations

from protonet.onnx.conversion import Conversion, converts


@converts("ChannelNorm")
def channel_norm(c: Conversion) -> str:
    return str(c.op("ReduceL2", c.bottoms[0], c.integers((1,)), keepdims=1))


@converts("Mean")
def mean(c: Conversion) -> list[str]:
    """The mean is repeated over the channels."""
    layer, tops = c.layer, []
    for bottom, shape in zip(c.bottoms, c.shapes, strict=True):
        times = shape[1] // len(layer.shift)
        shift = [value for _ in range(times) for value in layer.shift]
        scaled = c.op("Mul", bottom, c.constant(layer.factor))
        tops.append(str(c.op("Add", scaled, c.constant(shift))))
    return tops


@converts("Resample")
def resample(c: Conversion) -> str:
    """Matrices of weights, for rows and columns."""
    (given, size) = c.shapes[0][2:], c.top_shapes[0][2:]
    down, across = (c.layer.weights(axis, given, size) for axis in range(2))
    wide = c.op("MatMul", c.bottoms[0], c.constant(across.T))
    return str(c.op("MatMul", c.constant(down), wide))

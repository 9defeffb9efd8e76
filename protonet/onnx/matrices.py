"""Converters of layers that multiply matrices of two blobs."""

from __future__ import annotations

from protonet.onnx.conversion import Conversion, converts


@converts("MatMul")
def product(c: Conversion) -> str:
    operands = []
    for x, shape, turned in zip(c.bottoms, c.shapes, c.layer.turned, strict=True):
        last = len(shape) - 1
        order = [*range(last - 1), last, last - 1]
        operands.append(c.op("Transpose", x, perm=order) if turned else x)
    return str(c.op("MatMul", *operands))

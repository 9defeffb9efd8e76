"""Similarity and distance of pairs of vectors."""

from __future__ import annotations

import math

from protonet.onnx.conversion import Conversion, converts


def _rows(c: Conversion) -> list[str]:
    """The bottoms as items x values."""
    items = math.prod(c.top_shapes[0])
    rows = (items, math.prod(c.shapes[0]) // max(1, items))
    return [c.seen(x, shape, rows) for x, shape in zip(c.bottoms, c.shapes, strict=True)]


def _summed(c: Conversion, x: str, kind: str = "ReduceSum") -> str:
    return str(c.op(kind, x, c.integers((1,)), keepdims=0))


@converts("CosineSimilarity")
def cosine_similarity(c: Conversion) -> str:
    a, b = _rows(c)
    eps = c.constant(c.spec.cosine_similarity_param.eps)
    lengths = [c.op("Sqrt", c.op("Add", _summed(c, x, "ReduceSumSquare"), eps)) for x in (a, b)]
    y = _summed(c, c.op("Mul", a, b))
    for length in lengths:
        y = c.op("Div", y, length)
    return c.seen(y, (math.prod(c.top_shapes[0]),), c.top_shapes[0])


@converts("PairwiseDistance")
def pairwise_distance(c: Conversion) -> str:
    rows = _rows(c)
    d = c.op("Sub", *rows) if len(rows) > 1 else rows[0]
    p = c.spec.pairwise_distance_param.p
    if p in (1, 2):
        y = _summed(c, d, "ReduceL1" if p == 1 else "ReduceL2")
    else:
        powers = c.op("Pow", c.op("Abs", d), c.constant(p))
        y = c.op("Pow", _summed(c, powers), c.constant(1 / p))
    return c.seen(y, (math.prod(c.top_shapes[0]),), c.top_shapes[0])

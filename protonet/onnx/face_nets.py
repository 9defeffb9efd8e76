"""Layers of face nets."""

from __future__ import annotations

import math

import numpy as np

from protonet.layers.rows import EPS
from protonet.onnx.conversion import Conversion, OnnxError, converts


@converts("LabelSpecificAdd")
def label_specific_add(c: Conversion) -> list[str]:
    """Nothing is added when a net is deployed."""
    return [
        c.op("Identity", c.bottoms[0]),
        *(c.constant([0.0]) for _ in c.top_shapes[1:]),
    ]


@converts("LabelSpecificRescale")
def label_specific_rescale(c: Conversion) -> str:
    if c.layer.rescales:
        raise OnnxError(
            "multiplies the scores of labels, which a deployed net has not",
            ("label_specific_rescale_param", "rescale_test"),
            "without it, scores pass as they are",
        )
    return str(c.op("Identity", c.bottoms[0]))


@converts("InnerDistance")
def inner_distance(c: Conversion) -> str:
    """Differences of each item and point, side by side."""
    layer, shape, top = c.layer, c.shapes[0], c.top_shapes[0]
    points, items = top[-1], math.prod(top[:-1])
    values = math.prod(shape) // items
    x = c.seen(c.bottoms[0], shape, (items, 1, values))
    if layer.given:
        w = c.seen(c.bottoms[1], c.shapes[1], (1, points, values))
    else:
        weight = c.values(0)
        if layer.normalizes:
            weight = weight / np.sqrt((weight**2).sum(axis=1, keepdims=True) + EPS)
        w = c.constant(weight.reshape(1, points, values))
    kind = "ReduceSumSquare" if layer.squared else "ReduceL1"
    y = c.op(kind, c.op("Sub", x, w), c.integers((2,)), keepdims=0)
    return c.seen(y, (items, points), top)


@converts("ChannelScale")
def channel_scale(c: Conversion) -> str:
    x, s = c.shapes
    if not c.spec.channel_scale_param.do_forward:
        return str(c.op("Identity", c.bottoms[0]))
    planes, places = (*x[:2], math.prod(x[2:])), (x[0], 1, math.prod(x[2:]))
    y = c.op("Mul", c.seen(c.bottoms[0], x, planes), c.seen(c.bottoms[1], s, places))
    return c.seen(y, planes, x)

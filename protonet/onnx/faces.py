"""Layers of face nets."""

from __future__ import annotations

import math

from protonet.onnx.conversion import Conversion, converts


@converts("LabelSpecificAdd")
def label_specific_add(c: Conversion) -> list[str]:
    """Nothing is added when a net is deployed."""
    return [
        c.op("Identity", c.bottoms[0]),
        *(c.constant([0.0]) for _ in c.top_shapes[1:]),
    ]


@converts("ChannelScale")
def channel_scale(c: Conversion) -> str:
    x, s = c.shapes
    if not c.spec.channel_scale_param.do_forward:
        return str(c.op("Identity", c.bottoms[0]))
    planes, places = (*x[:2], math.prod(x[2:])), (x[0], 1, math.prod(x[2:]))
    y = c.op("Mul", c.seen(c.bottoms[0], x, planes), c.seen(c.bottoms[1], s, places))
    return c.seen(y, planes, x)

"""HardSwish: a piecewise approximation of swish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from protonet.blob import Array, Shape
from protonet.layers.activations import BY_BOTTOM, Activation
from protonet.layers.registry import register


@register("HardSwish")
class HardSwish(Activation):
    """y = x min(max(x + 3, 0), 6) / 6 (Howard et al., MobileNetV3, ICCV 2019).

    Gradient: dx = dy (2 x + 3) / 6 where -3 < x < 3, dy where x is 3 or more, else 0.

    Bottom:
        x: any shape.
    Top:
        y: the shape of x.
    Params:
        none.
    Spec:
        no fields.
    Raises:
        nothing of its own.
    Differs:
        BVLC Caffe has no such layer; this is the one of Synopsys' fork, which has no gradient.
    """

    traits = replace(Activation.traits, backward_reads=BY_BOTTOM, recomputable=True)

    def build(self, shapes: Sequence[Shape]) -> None:
        self._gate = self.scratch(shapes[0])
        self._side = self.scratch(shapes[0], np.bool_)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, (x,), (y,), gate = self.xp, bottoms, tops, self._gate
        xp.add(x, 3, out=gate)
        xp.clip(gate, 0, 6, out=gate)
        xp.multiply(gate, x, out=gate)
        xp.divide(gate, 6, out=y)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp, (dy,), (x,), (dx,), slope = self.xp, dtops, bottoms, dbottoms, self._gate
        if dx is None:
            return
        xp.add(x, 1.5, out=slope)
        xp.divide(slope, 3, out=slope)
        for end, value, compare in ((-3, 0, xp.less_equal), (3, 1, xp.greater_equal)):
            compare(x, end, out=self._side)
            xp.copyto(slope, value, where=self._side)
        xp.multiply(dy, slope, out=dx)

"""Errors of flow, as FlowNet's L1Loss measures them.

Source: lmb-freiburg/flownet2, l1loss_layer.cu.
"""

from __future__ import annotations

import math

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, shape_text

_PARAM = "l1_loss_param"


def check_errors(layer: Layer, shape: Shape) -> None:
    """LayerError for settings out of range, or a bottom without channels."""
    param = layer.spec.l1_loss_param
    for name in ("epsilon", "plateau"):
        if not 0 <= getattr(param, name) < math.inf:
            raise LayerError(
                f"expected {name} of 0 or more, got {getattr(param, name):g}", (_PARAM, name)
            )
    if len(shape) < 2:
        raise LayerError(
            f"expected N x C x ..., got '{layer.spec.bottom[0]}' {shape_text(shape)}",
            ("bottom", 0),
        )


class FlowErrors:
    """The loss of a - b: sum |a - b| / Z, or sum sqrt(sum over channels (a - b)^2 + epsilon) / Z.

    Values that are NaN do not count, and neither do errors below ``plateau``; Z is the number of
    items, or of places that count.

    Args:
        layer: has the settings, and shares its scratch.
        shape: of a, N x C x ....
    """

    def __init__(self, layer: Layer, shape: Shape) -> None:
        self._layer, self._param = layer, layer.spec.l1_loss_param
        whole: Shape = (shape[0], shape[1], math.prod(shape[2:]))
        self._shape = whole
        self._error, self._square = layer.scratch(whole), layer.scratch(whole)
        self._gone = layer.scratch(whole, np.bool_)
        self._length = layer.scratch((whole[0], 1, whole[2]))
        self._low = layer.scratch((whole[0], 1, whole[2]), np.bool_)

    def forward(self, a: Array, b: Array, slope: Array, loss: Array) -> None:
        """Write the loss, and N times its gradient by a to ``slope``."""
        xp, error, shape = self._layer.xp, self._error, self._shape
        xp.subtract(a.reshape(shape), b.reshape(shape), out=error)
        xp.isnan(error, out=self._gone)
        xp.copyto(error, 0, where=self._gone)
        count = float(shape[0])
        if self._param.normalize_by_num_entries:
            count = (math.prod(shape) - float(self._gone.sum())) / shape[1]
        if self._param.l2_per_location:
            self._lengths(slope.reshape(shape), loss)
        else:
            self._distances(slope.reshape(shape), loss)
        share = 1 / count if count else 0.0
        xp.multiply(loss, share, out=loss)
        xp.multiply(slope, share * shape[0], out=slope)

    def _distances(self, slope: Array, loss: Array) -> None:
        xp = self._layer.xp
        xp.absolute(self._error, out=self._square)
        xp.less(self._square, self._param.plateau, out=self._gone)
        xp.copyto(self._error, 0, where=self._gone)
        xp.copyto(self._square, 0, where=self._gone)
        self._square.sum(out=loss)
        xp.sign(self._error, out=slope)

    def _lengths(self, slope: Array, loss: Array) -> None:
        xp, length = self._layer.xp, self._length
        share = 1 / self._shape[1] if self._param.l2_prescale_by_channels else 1.0
        xp.multiply(self._error, self._error, out=self._square)
        self._square.sum(axis=1, keepdims=True, out=length)
        xp.multiply(length, share, out=length)
        xp.less(length, self._param.plateau**2, out=self._low)
        xp.copyto(length, 0, where=self._low)
        xp.add(length, self._param.epsilon, out=length)
        xp.sqrt(length, out=length)
        length.sum(out=loss)
        # Without an epsilon, an error of 0 has no direction.
        xp.maximum(length, np.finfo(np.float32).tiny, out=length)
        xp.divide(self._error, length, out=slope)
        xp.multiply(slope, share, out=slope)
        xp.copyto(slope, 0, where=self._low)

"""Self-normalizing networks: SeLu, and the dropout that keeps mean and variance.

Source: Klambauer et al., Self-Normalizing Neural Networks, NIPS 2017;
HolmesShuan/SNNs-Self-Normalizing-Neural-Networks-Caffe-Reimplementation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.activations import Activation
from protonet.layers.base import Traits
from protonet.layers.registry import register


@register("SeLu")
class SeLu(Activation):
    """y = lambda x for x > 0, else lambda alpha (exp(x) - 1).

    Gradient: dx = dy lambda for y > 0, else dy (y + lambda alpha).

    Bottom:
        x: any shape.
    Top:
        y: the shape of x. May be in place.
    Params:
        none.
    Spec:
        selu_param: lambda (1.0507), alpha (1.6733).
    Raises:
        LayerError: for a lambda or alpha that is not above 0.
    Differs:
        BVLC Caffe has no such layer; this is the one of HolmesShuan's fork.
    """

    def setup(self) -> None:
        param = self.spec.selu_param
        for name in ("lambda", "alpha"):
            if not 0 < getattr(param, name) < math.inf:
                raise LayerError(
                    f"expected {name} above 0, got {getattr(param, name):g}", ("selu_param", name)
                )
        self.factor, self.alpha = float(getattr(param, "lambda")), float(param.alpha)

    def build(self, shapes: Sequence[Shape]) -> None:
        self._low = self.scratch(shapes[0])
        self._above = self.scratch(shapes[0], np.bool_)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, (x,), (y,), low = self.xp, bottoms, tops, self._low
        xp.minimum(x, 0, out=low)
        xp.expm1(low, out=low)
        xp.multiply(low, self.factor * self.alpha, out=low)
        xp.maximum(x, 0, out=y)
        xp.multiply(y, self.factor, out=y)
        xp.add(y, low, out=y)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp, (dy,), (y,), (dx,), slope = self.xp, dtops, tops, dbottoms, self._low
        if dx is None:
            return
        xp.greater(y, 0, out=self._above)
        xp.add(y, self.factor * self.alpha, out=slope)
        xp.copyto(slope, self.factor, where=self._above)
        xp.multiply(dy, slope, out=dx)


@register("SeLuDropout")
class SeLuDropout(Activation):
    """In TRAIN y = a (x where it is kept, else alpha) + b; in TEST y = x.

    Each value is kept with probability q = 1 - dropout_ratio. With a = (q + alpha^2 q (1 - q))^-1/2
    and b = -a (1 - q) alpha, values of mean 0 and variance 1 stay so. Gradient: dx = a dy where x
    is kept, else 0; in TEST dy.

    Bottom:
        x: any shape.
    Top:
        y: the shape of x. May be in place; shares the memory of x in TEST.
    Params:
        none.
    Spec:
        selu_dropout_param: dropout_ratio (0.1), alpha (-1.7581).
    Raises:
        LayerError: for a dropout_ratio that is not in 0 to 1, or an infinite alpha.
    Differs:
        BVLC Caffe has no such layer; this is the one of HolmesShuan's fork. Which values are kept
        is a function of the seed, the layer's name and the iteration. A ratio of 0 is allowed.
    """

    traits = Traits(backward_reads=frozenset(), in_place=True)

    def setup(self) -> None:
        param = self.spec.selu_dropout_param
        self.ratio, self.alpha = param.dropout_ratio, param.alpha
        if not 0 <= self.ratio < 1:
            raise LayerError(
                f"expected 0 <= dropout_ratio < 1, got {self.ratio:g}",
                ("selu_dropout_param", "dropout_ratio"),
            )
        if not math.isfinite(self.alpha):
            raise LayerError("expected a finite alpha", ("selu_dropout_param", "alpha"))
        self.traits = replace(self.traits, view=not self.training)
        kept = 1 - self.ratio
        self.factor = (kept + self.alpha**2 * kept * self.ratio) ** -0.5
        self.shift = -self.factor * self.ratio * self.alpha

    def build(self, shapes: Sequence[Shape]) -> None:
        if self.training:
            self._numbers = self.scratch(shapes[0], np.float32)
            self._gone = self.scratch(shapes[0], np.bool_)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, (x,), (y,) = self.xp, bottoms, tops
        if not self.training:
            xp.copyto(y, x)
            return
        self.random.uniform(self._numbers)
        xp.less(self._numbers, self.ratio, out=self._gone)
        xp.multiply(x, self.factor, out=y)
        xp.copyto(y, self.factor * self.alpha, where=self._gone)
        xp.add(y, self.shift, out=y)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp, (dy,), (dx,) = self.xp, dtops, dbottoms
        if dx is None:
            return
        if not self.training:
            xp.copyto(dx, dy)
            return
        xp.multiply(dy, self.factor, out=dx)
        xp.copyto(dx, 0, where=self._gone)

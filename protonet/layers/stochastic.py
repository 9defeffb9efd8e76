"""Layers that draw random numbers in training: noise, and slopes of a rectifier."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.activations import BY_BOTTOM, Activation
from protonet.layers.registry import register


@register("GaussianNoise")
class GaussianNoise(Activation):
    """In TRAIN, y = x + n, with n drawn from a normal distribution; in TEST, y = x + mean.

    Gradient: dx = dy.

    Bottom:
        x: any shape.
    Top:
        y: the shape of x. May be in place.
    Params:
        none.
    Spec:
        gaussian_noise_param: mean (0), std (0.1).
    Raises:
        LayerError: for a std below 0.
    Differs:
        Caffe has no such layer. n is a function of the seed, the layer's name and the iteration.
    """

    traits = replace(Activation.traits, backward_reads=frozenset())

    def setup(self) -> None:
        param = self.spec.gaussian_noise_param
        self.mean, self.std = param.mean, param.std
        if not 0 <= self.std < math.inf:
            raise LayerError(
                f"expected std of 0 or more, got {self.std:g}", ("gaussian_noise_param", "std")
            )

    def build(self, shapes: Sequence[Shape]) -> None:
        shape, part = shapes[0], self.random.part
        mine = slice(None)
        if part is not None and shape[0] == part.count:
            # Pairs are those of the whole batch, of which a rank takes its items.
            shape, mine = (part.whole, *shape[1:]), part.places
        count = math.prod(shape)
        half = (count + 1) // 2
        self._pairs, self._work = self.scratch((2, half), np.float32), self.scratch((half,), "f4")
        self._noise = self._pairs.reshape(-1)[:count].reshape(shape)[mine]

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, (x,), (y,) = self.xp, bottoms, tops
        if not self.training:
            xp.add(x, self.mean, out=y)
            return
        self._draw()
        xp.multiply(self._pairs, self.std, out=self._pairs)
        xp.add(self._pairs, self.mean, out=self._pairs)
        xp.add(x, self._noise, out=y)

    def _draw(self) -> None:
        """Write numbers of the standard normal distribution, by Box and Muller's transform."""
        xp, (radius, angle), work = self.xp, self._pairs, self._work
        self.random.of(None).uniform(self._pairs)
        xp.subtract(1.0, radius, out=radius)
        xp.log(radius, out=radius)
        xp.multiply(radius, -2.0, out=radius)
        xp.sqrt(radius, out=radius)
        xp.multiply(angle, 2 * math.pi, out=angle)
        xp.cos(angle, out=work)
        xp.sin(angle, out=angle)
        xp.multiply(angle, radius, out=angle)
        xp.multiply(radius, work, out=radius)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None and dbottoms[0] is not dtops[0]:
            self.xp.copyto(dbottoms[0], dtops[0])


@register("RReLU")
class RReLU(Activation):
    """y = x where x > 0, a x elsewhere; in TRAIN a is drawn for each value from lower to upper, in
    TEST it is their mean (Xu et al., Empirical Evaluation of Rectified Activations, 2015).

    Gradient: dx = dy where x > 0, a dy elsewhere.

    Bottom:
        x: any shape.
    Top:
        y: the shape of x.
    Params:
        none.
    Spec:
        rrelu_param: lower (1/8), upper (1/3).
    Raises:
        LayerError: unless 0 <= lower <= upper.
    Differs:
        Caffe has no such layer. a is a function of the seed, the layer's name and the iteration.
    """

    traits = replace(Activation.traits, backward_reads=BY_BOTTOM)

    def setup(self) -> None:
        param = self.spec.rrelu_param
        self.lower, self.upper = param.lower, param.upper
        if not 0 <= self.lower <= self.upper < math.inf:
            raise LayerError(
                f"expected 0 <= lower <= upper, got {self.lower:g} and {self.upper:g}",
                ("rrelu_param",),
            )

    @property
    def mean(self) -> float:
        """The slope in TEST."""
        return float(self.lower + self.upper) / 2

    def build(self, shapes: Sequence[Shape]) -> None:
        self._drawn = self.scratch(shapes[0], np.float32)
        self._slope, self._mask = self.scratch(shapes[0]), self.scratch(shapes[0], np.bool_)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp = self.xp
        if self.training:
            self.random.uniform(self._drawn)
            xp.multiply(self._drawn, self.upper - self.lower, out=self._drawn)
            xp.add(self._drawn, self.lower, out=self._drawn)
        else:
            self._drawn.fill(self.mean)
        xp.multiply(bottoms[0], self._slopes(bottoms[0]), out=tops[0])

    def _slopes(self, x: Array) -> Array:
        self.xp.greater(x, 0.0, out=self._mask)
        self.xp.copyto(self._slope, self._drawn)
        self.xp.copyto(self._slope, 1.0, where=self._mask)
        return self._slope

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is not None:
            self.xp.multiply(dtops[0], self._slopes(bottoms[0]), out=dbottoms[0])

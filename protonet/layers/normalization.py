"""Normalization of items: to mean 0 and variance 1, or to length 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, LowPrecision, Reads, Traits, Weight, shape_text
from protonet.layers.fillers import filled_weight
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import FillerParameter


@register("MVN")
class MVN(Layer):
    """y = (x - mean) / (deviation + eps), for each channel of each item.

    Gradient: dx = (dy - mean(dy) - y mean(y dy)) / (deviation + eps). Without
    normalize_variance, y = x - mean and dx = dy - mean(dy).

    Bottom:
        x: N x C x ...
    Top:
        y: the shape of x. May be in place.
    Params:
        none.
    Spec:
        mvn_param: normalize_variance (true), across_channels (false: each channel by itself;
        true: all of an item together), eps (1e-9), added to the deviation, not the variance.
    Raises:
        LayerError: for a bottom of fewer than 2 axes.
    Differs:
        Caffe takes at most 4 axes. The gradient is Caffe's, which holds eps for 0.
    """

    traits = Traits(
        backward_reads=frozenset({Reads.TOPS}),
        in_place=True,
        low_precision=LowPrecision.WITH_BOTTOMS,
    )

    def setup(self) -> None:
        spec = self.spec.mvn_param
        self.scales, self.across, self.eps = (
            spec.normalize_variance,
            spec.across_channels,
            spec.eps,
        )
        if not self.scales:
            self.traits = replace(self.traits, backward_reads=frozenset())

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        if len(shapes[0]) < 2:
            raise LayerError(
                f"expected a bottom of at least 2 axes, got {shape_text(shapes[0])}",
                ("bottom", 0),
            )
        return [shapes[0]]

    def build(self, shapes: Sequence[Shape]) -> None:
        shape = shapes[0]
        rows = shape[0] if self.across else shape[0] * shape[1]
        self._rows = (rows, math.prod(shape) // max(1, rows))
        self._mean, self._deviation = self.scratch((rows, 1)), self.scratch((rows, 1))
        self._product = self.scratch(self._rows) if self.scales else None

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, deviation, product = self.xp, self._deviation, self._product
        x, y = bottoms[0].reshape(self._rows), tops[0].reshape(self._rows)
        self._average(x, self._mean)
        xp.subtract(x, self._mean, out=y)
        if product is None:
            return
        xp.multiply(y, y, out=product)
        self._average(product, deviation)
        xp.sqrt(deviation, out=deviation)
        xp.add(deviation, self.eps, out=deviation)
        xp.divide(y, deviation, out=y)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        if dbottoms[0] is None:
            return
        xp, mean, product = self.xp, self._mean, self._product
        dy, dx = dtops[0].reshape(self._rows), dbottoms[0].reshape(self._rows)
        if product is None:
            self._average(dy, mean)
            xp.subtract(dy, mean, out=dx)
            return
        y = tops[0].reshape(self._rows)
        xp.multiply(y, dy, out=product)
        self._average(product, mean)
        xp.multiply(y, mean, out=product)
        self._average(dy, mean)
        xp.subtract(dy, mean, out=dx)
        xp.subtract(dx, product, out=dx)
        xp.divide(dx, self._deviation, out=dx)

    def _average(self, rows: Array, out: Array) -> None:
        """Write the mean of each row."""
        rows.sum(axis=1, out=out, keepdims=True)
        self.xp.multiply(out, 1.0 / max(1, self._rows[1]), out=out)


@register("Normalize")
class Normalize(Layer):
    """y = s x / n, with n = sqrt(sum(x^2) + eps) over an item, or over the channels of a place.

    Gradients: dx = s dy / n - x sum(x s dy) / n^3; ds = the sum of dy x / n (Liu et al., ParseNet,
    2015).

    Bottom:
        x: N x C x ...
    Top:
        y: the shape of x.
    Params:
        s: a scalar, or C without channel_shared.
    Spec:
        norm_param: across_spatial (true: n of all values of an item; false: of the channels at
        each place), scale_filler (constant 1), channel_shared (true), eps (1e-10).
    Raises:
        LayerError: for a bottom of fewer than 2 axes.
    Differs:
        Caffe 1.0 has no such layer; forks for single-shot detectors do, for 4 axes. Without
        channel_shared theirs leave the scales out of the sum of dx.
    """

    traits = Traits(
        backward_reads=frozenset({Reads.BOTTOMS}), low_precision=LowPrecision.WITH_BOTTOMS
    )

    def setup(self) -> None:
        spec = self.spec.norm_param
        self.across, self.shared, self.eps = (
            spec.across_spatial,
            spec.channel_shared,
            spec.eps,
        )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        if len(shapes[0]) < 2:
            raise LayerError(
                f"expected a bottom of at least 2 axes, got {shape_text(shapes[0])}",
                ("bottom", 0),
            )
        return [shapes[0]]

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        spec = self.spec.norm_param
        filler = spec.scale_filler if spec.HasField("scale_filler") else FillerParameter(value=1)
        shape = () if self.shared else (shapes[0][1],)
        return [filled_weight(shape, filler, ("norm_param", "scale_filler"))]

    def build(self, shapes: Sequence[Shape]) -> None:
        shape = shapes[0]
        self._seen = (shape[0], shape[1], math.prod(shape[2:]))
        self._axes = (1, 2) if self.across else (1,)
        reduced = (shape[0], 1, 1 if self.across else self._seen[2])
        self._norm, self._part = self.scratch(reduced), self.scratch(reduced)
        self._product = self.scratch(self._seen)
        self._scaled = self.scratch(self._seen)
        self._sum = self.scratch(self.params[0].shape)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, norm = self.xp, self._norm
        x, y = bottoms[0].reshape(self._seen), tops[0].reshape(self._seen)
        xp.multiply(x, x, out=self._product)
        self._product.sum(axis=self._axes, out=norm, keepdims=True)
        xp.add(norm, self.eps, out=norm)
        xp.sqrt(norm, out=norm)
        xp.divide(x, norm, out=y)
        xp.multiply(y, self.params[0].data.reshape(-1, 1), out=y)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp, norm, product, scale = self.xp, self._norm, self._product, self.params[0]
        x, dy = bottoms[0].reshape(self._seen), dtops[0].reshape(self._seen)
        if scale.wanted:
            xp.divide(x, norm, out=product)
            xp.multiply(product, dy, out=product)
            product.sum(axis=None if self.shared else (0, 2), out=self._sum)
            xp.add(scale.diff, self._sum, out=scale.diff)
        if dbottoms[0] is None:
            return
        dx, scaled, part = dbottoms[0].reshape(self._seen), self._scaled, self._part
        xp.multiply(dy, scale.data.reshape(-1, 1), out=scaled)
        xp.multiply(x, scaled, out=product)
        product.sum(axis=self._axes, out=part, keepdims=True)
        # (s dy - x sum / n^2) / n
        xp.divide(part, norm, out=part)
        xp.divide(part, norm, out=part)
        xp.multiply(x, part, out=product)
        xp.subtract(scaled, product, out=dx)
        xp.divide(dx, norm, out=dx)

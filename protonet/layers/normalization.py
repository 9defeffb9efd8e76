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

_LEAST = 1e-6
"""The epsilon of happynear's Normalize (normalize_layer.cpp)."""


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
        Caffe takes at most 4 axes. The gradient is Caffe's, which neglects eps.
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
    """y = s x / n, with n = sqrt(sum(x^2) + eps) over an item, or the channels of a position.

    Gradients: dx = s dy / n - x sum(x s dy) / n^3; ds = the sum of dy x / n (Liu et al., ParseNet,
    2015). With normalize_param, of another fork, there is no s, and n is over the channels of a
    position: sqrt(sum(x^2) + 1e-6) with L2, sum |x| + 1e-6 with L1, where sign(x) stands for x / n:
    dx = (dy - sign(x) sum(x dy) / n) / n.

    Bottom:
        x: N x C x ...
    Top:
        0: y, the shape of x.
        1 (optional, with normalize_param): n, N x 1 x ...; with bp_norm, dx also has dn x / n.
    Params:
        s: a scalar, or C without channel_shared; none with normalize_param.
    Spec:
        norm_param: across_spatial (true: n over all values of an item; false: over the channels of
        each position), scale_filler (constant 1), channel_shared (true), eps (1e-10). Or
        normalize_param: normalize_type (L2; or L1), bp_norm (false).
    Raises:
        LayerError: for a bottom of fewer than 2 axes, both params, another normalize_type,
        fix_gradient, or a second top without normalize_param.
    Differs:
        Caffe 1.0 has no such layer; forks for single-shot detectors do, for 4 axes. Without
        channel_shared they omit the scales in the sum of dx. normalize_param is of
        happynear/caffe-windows, whose GPU adds 1e-12 instead of 1e-6 with L2.
    """

    traits = Traits(
        backward_reads=frozenset({Reads.BOTTOMS}), low_precision=LowPrecision.WITH_BOTTOMS
    )
    tops = (1, 2)

    def setup(self) -> None:
        spec, other = self.spec.norm_param, self.spec.normalize_param
        self.across, self.shared, self.eps = (
            spec.across_spatial,
            spec.channel_shared,
            spec.eps,
        )
        self.scaled, self.by_sign = not self.spec.HasField("normalize_param"), False
        if self.scaled:
            if len(self.spec.top) > 1:
                raise LayerError("a second top needs normalize_param", ("top", 1))
            return
        self._check_direction()
        self.across, self.eps, self.by_sign = False, _LEAST, other.normalize_type == "L1"
        self.backs_norm = other.bp_norm and len(self.spec.top) > 1

    def _check_direction(self) -> None:
        param = self.spec.normalize_param
        if self.spec.HasField("norm_param"):
            raise LayerError(
                "norm_param and normalize_param are of different forks", ("normalize_param",)
            )
        if param.normalize_type not in ("L1", "L2"):
            raise LayerError(
                f"expected normalize_type L1 or L2, got '{param.normalize_type}'",
                ("normalize_param", "normalize_type"),
            )
        if param.fix_gradient:
            raise LayerError(
                "fix_gradient is not supported: its gradient is not that of the forward pass",
                ("normalize_param", "fix_gradient"),
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        shape = shapes[0]
        if len(shape) < 2:
            raise LayerError(
                f"expected a bottom of at least 2 axes, got {shape_text(shape)}",
                ("bottom", 0),
            )
        return [shape, (shape[0], 1, *shape[2:])][: len(self.spec.top)]

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        if not self.scaled:
            return []
        spec = self.spec.norm_param
        filler = spec.scale_filler if spec.HasField("scale_filler") else FillerParameter(value=1)
        shape = () if self.shared else (shapes[0][1],)
        return [filled_weight(shape, filler, ("norm_param", "scale_filler"))]

    def build(self, shapes: Sequence[Shape]) -> None:
        shape = shapes[0]
        self._view_shape = (shape[0], shape[1], math.prod(shape[2:]))
        self._axes = (1, 2) if self.across else (1,)
        reduced = (shape[0], 1, 1 if self.across else self._view_shape[2])
        self._norm, self._part, self._dnorm = (self.scratch(reduced) for _ in range(3))
        self._product = self.scratch(self._view_shape)
        self._scaled = self.scratch(self._view_shape)
        self._sum = self.scratch(self.params[0].shape if self.scaled else ())

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, norm = self.xp, self._norm
        x, y = bottoms[0].reshape(self._view_shape), tops[0].reshape(self._view_shape)
        if self.by_sign:
            xp.absolute(x, out=self._product)
        else:
            xp.multiply(x, x, out=self._product)
        self._product.sum(axis=self._axes, out=norm, keepdims=True)
        xp.add(norm, self.eps, out=norm)
        if not self.by_sign:
            xp.sqrt(norm, out=norm)
        xp.divide(x, norm, out=y)
        if self.scaled:
            xp.multiply(y, self.params[0].data.reshape(-1, 1), out=y)
        if len(tops) > 1:
            xp.copyto(tops[1].reshape(norm.shape), norm)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp, norm, product, scaled = self.xp, self._norm, self._product, self._scaled
        x, dy = bottoms[0].reshape(self._view_shape), dtops[0].reshape(self._view_shape)
        if self.scaled:
            self._add_scale_gradient(x, dy)
        if dbottoms[0] is None:
            return
        dx, part = dbottoms[0].reshape(self._view_shape), self._part
        xp.copyto(scaled, dy)
        if self.scaled:
            xp.multiply(scaled, self.params[0].data.reshape(-1, 1), out=scaled)
        xp.multiply(x, scaled, out=product)
        product.sum(axis=self._axes, out=part, keepdims=True)
        # (s dy - g (sum / n - dn n)) / n, where g is x / n, or sign(x)
        xp.divide(part, norm, out=part)
        if not self.scaled and self.backs_norm:
            xp.multiply(dtops[1].reshape(norm.shape), norm, out=self._dnorm)
            xp.subtract(part, self._dnorm, out=part)
        if self.by_sign:
            xp.sign(x, out=product)
        else:
            xp.divide(part, norm, out=part)
            xp.copyto(product, x)
        xp.multiply(product, part, out=product)
        xp.subtract(scaled, product, out=dx)
        xp.divide(dx, norm, out=dx)

    def _add_scale_gradient(self, x: Array, dy: Array) -> None:
        """Add to the gradient of s."""
        xp, product, scale = self.xp, self._product, self.params[0]
        if scale.wanted:
            xp.divide(x, self._norm, out=product)
            xp.multiply(product, dy, out=product)
            product.sum(axis=None if self.shared else (0, 2), out=self._sum)
            xp.add(scale.diff, self._sum, out=scale.diff)

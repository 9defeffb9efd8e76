"""Batch normalization."""

from __future__ import annotations

import math
from collections.abc import Sequence

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, Reads, Weight
from protonet.layers.registry import register

_PARAM = "batch_norm_param"


@register("BatchNorm")
class BatchNorm(Layer):
    """y = (x - mean) / sqrt(var + eps) for each channel (Ioffe and Szegedy, ICML 2015).

    In TRAIN mean and var are the batch's, dx = (dy - mean(dy) - y mean(dy y)) / sqrt(var + eps),
    and running sums are kept: sums = f sums + batch, with var times m / (m - 1) for m values a
    channel. With global statistics mean and var are those sums divided by their weight, and
    dx = dy / sqrt(var + eps).

    Bottom:
        0: x, N x C x ...; of one axis, a single channel.
    Top:
        0: y, the shape of x.
    Params:
        0: sum of means, C. Not for the solver.
        1: sum of variances, C. Not for the solver.
        2: weight of the sums, 1. Not for the solver.
    Spec:
        batch_norm_param: use_global_stats (true in TEST), moving_average_fraction f (0.999),
        eps (1e-5).
    Raises:
        LayerError: for scale_bias, which NVIDIA's fork has.
    Differs:
        no. A weight of 0 gives mean and variance 0, as in Caffe.
    """

    in_place = True
    backward_reads = frozenset({Reads.TOPS})

    def setup(self) -> None:
        param = self.spec.batch_norm_param
        if param.scale_bias:
            raise LayerError(
                "scale_bias is not supported; put a Scale layer with bias_term behind this one",
                (_PARAM, "scale_bias"),
            )
        self.uses_global = not self.training
        if param.HasField("use_global_stats"):
            self.uses_global = param.use_global_stats
        self.fraction, self.eps = float(param.moving_average_fraction), float(param.eps)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return [shapes[0]]

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        channels = self._channels(shapes[0])
        return [Weight(shape, None, 0.0, 0.0) for shape in ((channels,), (channels,), (1,))]

    def _channels(self, shape: Shape) -> int:
        return shape[1] if len(shape) > 1 else 1

    def build(self, shapes: Sequence[Shape]) -> None:
        shape, channels = shapes[0], self._channels(shapes[0])
        items = shape[0] if shape else 1
        self._seen = (items, channels, math.prod(shape) // max(1, items * channels))
        self._values = items * self._seen[2]
        self._mean, self._var, self._part = (self.scratch((channels,)) for _ in range(3))
        self._deviation = self.scratch((channels, 1))
        self._weight = self.scratch((1,))
        self._product = self.scratch(self._seen)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, mean, var = self.xp, self._mean, self._var
        x, y = bottoms[0].reshape(self._seen), tops[0].reshape(self._seen)
        if self.uses_global:
            self._recall()
        else:
            self._average(x, mean)
        xp.subtract(x, mean[:, None], out=y)
        if not self.uses_global:
            xp.multiply(y, y, out=self._product)
            self._average(self._product, var)
            self._remember()
        deviation = self._deviation.reshape(-1)
        xp.add(var, self.eps, out=deviation)
        xp.sqrt(deviation, out=deviation)
        xp.divide(y, self._deviation, out=y)

    def _average(self, values: Array, out: Array) -> None:
        """Write each channel's mean of (items, channels, places)."""
        self.xp.sum(values, axis=(0, 2), out=out)
        self.xp.multiply(out, 1.0 / self._values, out=out)

    def _recall(self) -> None:
        """Mean and variance from the running sums."""
        xp, (means, variances, weight) = self.xp, self.params
        # 1 / weight, or 0 for a weight of 0: sign(w) / max(w, tiny)
        xp.maximum(weight.data, 1e-30, out=self._weight)
        xp.divide(xp.sign(weight.data), self._weight, out=self._weight)
        xp.multiply(means.data, self._weight, out=self._mean)
        xp.multiply(variances.data, self._weight, out=self._var)

    def _remember(self) -> None:
        """Take this batch into the running sums."""
        xp, (means, variances, weight) = self.xp, self.params
        unbiased = self._values / (self._values - 1) if self._values > 1 else 1.0
        for param in self.params:
            xp.multiply(param.data, self.fraction, out=param.data)
        xp.add(weight.data, 1.0, out=weight.data)
        xp.add(means.data, self._mean, out=means.data)
        xp.multiply(self._var, unbiased, out=self._part)
        xp.add(variances.data, self._part, out=variances.data)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp = self.xp
        if dbottoms[0] is None:
            return
        dy, dx = dtops[0].reshape(self._seen), dbottoms[0].reshape(self._seen)
        if self.uses_global:
            xp.divide(dy, self._deviation, out=dx)
            return
        y, product = tops[0].reshape(self._seen), self._product
        xp.multiply(dy, y, out=product)
        self._average(product, self._part)
        self._average(dy, self._mean)
        xp.multiply(y, self._part[:, None], out=product)
        xp.subtract(dy, self._mean[:, None], out=dx)
        xp.subtract(dx, product, out=dx)
        xp.divide(dx, self._deviation, out=dx)

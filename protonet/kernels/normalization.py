"""Batch normalization, optionally with a fused scale, bias and ReLU."""

from __future__ import annotations

from typing import Any

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.kernel import NONEMPTY, STORED, Kernel
from protonet.ranks.communicator import ALONE


class BatchNormScale(Kernel):
    """z = scale (x - mean) / sqrt(variance + eps) + bias for each channel; y = z or max(z, 0).

    Arrays of values are items x channels x places, in any shape; those of statistics, scale and
    bias are vectors of channels. A scale that is None is 1, a bias that is None is 0.

    Args:
        items: images in a batch.
        channels: of an image.
        places: of a channel of an image.
        eps: added to the variance.
    """

    def __init__(
        self, device: Device, dtype: Any, items: int, channels: int, places: int, eps: float
    ) -> None:
        super().__init__(device, dtype)
        self.eps = eps
        self._extents = (items, channels, places)
        self._share = 1.0 / max(1, items * places)
        self._ranks = ALONE
        self._large: list[Array] = []
        self._small = self.scratch((2, channels), self.real)

    def forward_train(
        self,
        x: Array,
        scale: Array | None,
        bias: Array | None,
        y: Array,
        mean: Array,
        variance: Array,
        inverse: Array,
        *,
        rectify: bool = False,
    ) -> None:
        """Write y, which may be ``x``, and the statistics of x.

        ``variance`` is the mean of squares without ``eps``; ``inverse`` 1 / sqrt(variance + eps).
        """
        xp, x, y = self.xp, x.reshape(self._extents), y.reshape(self._extents)
        (square,) = self._values(1)
        self._average(x, mean)
        xp.subtract(x, mean[:, None], out=y)
        xp.multiply(y, y, out=square)
        self._average(square, variance)
        self.invert(variance, inverse)
        xp.multiply(y, inverse[:, None], out=y)
        self._scale(y, scale, bias, y)
        if rectify:
            xp.maximum(y, 0.0, out=y)

    def forward_inference(
        self, x: Array, factor: Array, shift: Array, y: Array, *, rectify: bool = False
    ) -> None:
        """Write factor x + shift, optionally through a ReLU, to ``y``, which may be ``x``.

        ``fold`` computes factor and shift.
        """
        y = y.reshape(self._extents)
        self._scale(x.reshape(self._extents), factor, shift, y)
        if rectify:
            self.xp.maximum(y, 0.0, out=y)

    # long: one formula, whose terms share their scratch, in the order of the formula
    def backward(
        self,
        dy: Array,
        x: Array,
        scale: Array | None,
        bias: Array | None,
        mean: Array | None,
        inverse: Array,
        dx: Array | None,
        dscale: Array | None,
        dbias: Array | None,
        *,
        rectify: bool = False,
        fixed: bool = False,
    ) -> None:
        """Write ``dx``, which may be ``dy``, and add to ``dscale`` and ``dbias``, where wanted.

        ``x``, ``mean`` and ``inverse`` are those of ``forward_train``; without a mean, ``x`` is
        already normalized: y, without scale and bias. With ``fixed``, the statistics do not
        depend on x.
        """
        xp, dy = self.xp, dy.reshape(self._extents)
        hat, work = self._values(2)
        if mean is None:
            hat = x.reshape(self._extents)
        else:
            xp.subtract(x.reshape(self._extents), mean[:, None], out=hat)
            xp.multiply(hat, inverse[:, None], out=hat)
        if rectify:
            dz = self._values(3)[2]
            self._scale(hat, scale, bias, work)
            xp.multiply(dy, xp.greater(work, 0.0, out=work), out=dz)
        else:
            dz = dy
        slope, level = self._small
        xp.multiply(dz, hat, out=work)
        for values, total, param in ((work, slope, dscale), (dz, level, dbias)):
            xp.sum(values, axis=(0, 2), out=total)
            if param is not None:
                xp.add(param, total, out=param)
        if dx is None:
            return
        dx = dx.reshape(self._extents)
        if fixed:
            xp.multiply(dz, inverse[:, None], out=dx)
        else:
            self._ranks.sum(self._small)
            xp.multiply(self._small, self._share, out=self._small)
            xp.multiply(hat, slope[:, None], out=work)
            xp.subtract(dz, level[:, None], out=dx)
            xp.subtract(dx, work, out=dx)
            xp.multiply(dx, inverse[:, None], out=dx)
        self._scale(dx, scale, None, dx)

    def invert(self, variance: Array, inverse: Array) -> None:
        """Write 1 / sqrt(variance + eps)."""
        xp = self.xp
        xp.add(variance, self.eps, out=inverse)
        xp.sqrt(inverse, out=inverse)
        xp.divide(1.0, inverse, out=inverse)

    def fold(
        self,
        mean: Array,
        inverse: Array,
        scale: Array | None,
        bias: Array | None,
        factor: Array,
        shift: Array,
    ) -> None:
        """Write ``factor`` and ``shift`` of ``forward_inference`` for these statistics."""
        xp = self.xp
        if scale is None:
            xp.copyto(factor, inverse)
        else:
            xp.multiply(inverse, scale, out=factor)
        xp.multiply(mean, factor, out=shift)
        xp.negative(shift, out=shift)
        if bias is not None:
            xp.add(shift, bias, out=shift)

    def _scale(self, x: Array, scale: Array | None, bias: Array | None, y: Array) -> None:
        """Write scale x + bias to ``y``, which may be ``x``."""
        xp = self.xp
        if scale is not None:
            x = xp.multiply(x, scale[:, None], out=y)
        if bias is not None:
            x = xp.add(x, bias[:, None], out=y)
        if x is not y:
            xp.copyto(y, x)

    def _average(self, values: Array, out: Array) -> None:
        """Write each channel's mean."""
        self.xp.sum(values, axis=(0, 2), out=out)
        self._ranks.sum(out)
        self.xp.multiply(out, self._share, out=out)

    def _values(self, count: int) -> list[Array]:
        """Return ``count`` arrays of x's size, kept between calls."""
        while len(self._large) < count:
            self._large.append(self.scratch(self._extents))
        return self._large[:count]


class NativeBatchNormScale(BatchNormScale, processor="native"):
    """Each channel in two passes, the second from the cache; no scratch of x's size."""

    dtypes = STORED

    requires = (NONEMPTY,)

    def __init__(
        self, device: Device, dtype: Any, items: int, channels: int, places: int, eps: float
    ) -> None:
        super().__init__(device, dtype, items, channels, places, eps)
        module = native.of(self.dtype)
        self._native = module.Normalization(items, channels, places, eps)
        self._affine = module.Scaling(items, channels, places)

    def forward_train(
        self,
        x: Array,
        scale: Array | None,
        bias: Array | None,
        y: Array,
        mean: Array,
        variance: Array,
        inverse: Array,
        *,
        rectify: bool = False,
    ) -> None:
        self._native.train(x, scale, bias, y, mean, variance, inverse, rectify)

    def forward_inference(
        self, x: Array, factor: Array, shift: Array, y: Array, *, rectify: bool = False
    ) -> None:
        self._affine.forward(x, factor, shift, y, rectify)

    def backward(
        self,
        dy: Array,
        x: Array,
        scale: Array | None,
        bias: Array | None,
        mean: Array | None,
        inverse: Array,
        dx: Array | None,
        dscale: Array | None,
        dbias: Array | None,
        *,
        rectify: bool = False,
        fixed: bool = False,
    ) -> None:
        self._native.backward(dy, x, scale, bias, mean, inverse, dx, dscale, dbias, rectify, fixed)


class RunningStatistics(Kernel):
    """Means and variances of the batches so far, as vectors of channels with one ``weight``.

    Sums, which ``weight`` divides, as Caffe keeps them: each becomes ``fraction`` times itself
    plus the batch's. Or averages: each moves towards the batch's by 1 - ``fraction``; a weight of 0
    means that there are none yet, and it becomes 1.

    Args:
        channels: of the vectors.
        fraction: the decay of the old value.
        averages: whether averages are kept.
        unbiased: what the variance of a batch is multiplied by.
    """

    def __init__(
        self,
        device: Device,
        dtype: Any,
        channels: int,
        fraction: float,
        averages: bool,
        unbiased: float,
    ) -> None:
        super().__init__(device, dtype)
        self.fraction, self.averages, self.unbiased = fraction, averages, unbiased
        self._channels = channels
        self._part: Array | None = None

    def add(
        self, mean: Array, variance: Array, means: Array, variances: Array, weight: Array
    ) -> None:
        """Update ``means``, ``variances`` and ``weight`` by a batch."""
        xp = self.xp
        if self._part is None:
            self._part, self._keep = self.scratch((self._channels,)), self.scratch((1,))
        part, keep = self._part, self._keep
        if self.averages:
            xp.multiply(weight, self.fraction, out=keep)
            for running, batch, factor in (
                (means, mean, 1.0),
                (variances, variance, self.unbiased),
            ):
                xp.multiply(batch, factor, out=part)
                xp.subtract(running, part, out=running)
                xp.multiply(running, keep, out=running)
                xp.add(running, part, out=running)
            weight.fill(1.0)
            return
        for running in (means, variances, weight):
            xp.multiply(running, self.fraction, out=running)
        xp.add(weight, 1.0, out=weight)
        xp.add(means, mean, out=means)
        xp.multiply(variance, self.unbiased, out=part)
        xp.add(variances, part, out=variances)

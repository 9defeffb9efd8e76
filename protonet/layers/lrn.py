"""Local response normalization, over channels or over space."""

from __future__ import annotations

from collections.abc import Sequence

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, shape_text
from protonet.layers.pooling import Pooling
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import LayerParameter, LRNParameter, PoolingParameter

_PARAM = "lrn_param"


@register("LRN")
class LRN(Layer):
    """ACROSS_CHANNELS: s = k + alpha / n sum x^2 over the n channels around, y = x s^-beta,
    dx = dy s^-beta - 2 alpha beta / n x sum (dy y / s);
    WITHIN_CHANNEL: s = 1 + alpha m with m the mean of x^2 over n x n places around, y = x s^-beta,
    dx = dy s^-beta - 2 alpha beta x mean^T (dy x s^(-beta - 1)).

    Bottom:
        0: x, N x C x H x W.
    Top:
        0: y, the shape of x.
    Params:
        none.
    Spec:
        lrn_param: local_size n (5, odd), alpha (1), beta (0.75), k (1), norm_region
        (ACROSS_CHANNELS). engine is accepted and makes no difference.
    Raises:
        LayerError: for an even local_size, or a bottom without 4 axes.
    Differs:
        no. As in Caffe, WITHIN_CHANNEL ignores k, and its mean counts the padding.
    """

    recomputable = True

    def setup(self) -> None:
        param = self.spec.lrn_param
        if param.local_size % 2 == 0:
            raise LayerError(
                f"local_size must be odd, got {param.local_size}", (_PARAM, "local_size")
            )
        self.size = int(param.local_size)
        self.alpha, self.beta, self.k = (float(v) for v in (param.alpha, param.beta, param.k))
        self._within = param.norm_region == LRNParameter.WITHIN_CHANNEL

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        if len(shapes[0]) != 4:
            raise LayerError(
                f"expected a bottom of 4 axes, N x C x H x W, got {shape_text(shapes[0])}",
                ("bottom", 0),
            )
        return [shapes[0]]

    def build(self, shapes: Sequence[Shape]) -> None:
        shape = shapes[0]
        self._scale, self._factor, self._values, self._sums = (
            self.scratch(shape) for _ in range(4)
        )
        if self._within:
            self._mean = self.pooling(shapes)
            return
        half, channels = self.size // 2, shape[1]
        # channel c meets channel c + offset, for every offset of the window
        self._meetings = [
            (slice(max(0, -o), channels - max(0, o)), slice(max(0, o), channels - max(0, -o)))
            for o in range(-half, half + 1)
            if abs(o) < channels
        ]

    def pooling(self, shapes: Sequence[Shape]) -> Pooling:
        """The mean over the places around each place."""
        spec = LayerParameter(name=f"{self.name}/mean", type="Pooling", top=["mean"])
        param = spec.pooling_param
        param.pool = PoolingParameter.AVE
        param.kernel_size, param.pad = self.size, self.size // 2
        layer = Pooling(spec, self.phase, self.around)
        layer.setup()
        layer.attach(self.device, self.dtype, self.random, gradients=self.gradients)
        layer.build(shapes)
        return layer

    def _sum(self, values: Array, sums: Array) -> None:
        """Write for each channel the sum of ``values`` over the channels around."""
        sums.fill(0)
        for here, there in self._meetings:
            part = sums[:, here]
            self.xp.add(part, values[:, there], out=part)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        xp, x, y, scale = self.xp, bottoms[0], tops[0], self._scale
        xp.multiply(x, x, out=self._values)
        if self._within:
            self._mean.forward([self._values], [scale])
            xp.multiply(scale, self.alpha, out=scale)
            xp.add(scale, 1.0, out=scale)
        else:
            self._sum(self._values, scale)
            xp.multiply(scale, self.alpha / self.size, out=scale)
            xp.add(scale, self.k, out=scale)
        xp.power(scale, -self.beta, out=self._factor)
        xp.multiply(x, self._factor, out=y)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        xp, dy, x, dx = self.xp, dtops[0], bottoms[0], dbottoms[0]
        if dx is None:
            return
        values, sums = self._values, self._sums
        xp.multiply(dy, tops[0], out=values)
        xp.divide(values, self._scale, out=values)
        if self._within:
            self._mean.backward([values], [values], [values], [sums])
            weight = 2 * self.alpha * self.beta
        else:
            self._sum(values, sums)
            weight = 2 * self.alpha * self.beta / self.size
        xp.multiply(sums, x, out=sums)
        xp.multiply(sums, weight, out=sums)
        xp.multiply(dy, self._factor, out=dx)
        xp.subtract(dx, sums, out=dx)

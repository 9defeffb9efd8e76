"""BN: batch normalization with scale and bias, of two forks for segmentation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.normalization import RunningStatistics
from protonet.layers.base import Layer, LowPrecision, Reads, Traits, Weight, shape_text
from protonet.layers.batch_moments import moments_of
from protonet.layers.fillers import filled_weight
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import BNParameter, FillerParameter

_PARAM = "bn_param"
_RUNNING = ("slope_filler", "bias_filler", "momentum", "eps", "frozen")
_BATCH = ("scale_filler", "shift_filler", "bn_mode")
_BATCH_EPS = 1e-9


@register("BN")
class BN(Layer):
    """y = s (x - mean) / sqrt(var + eps) + b for each channel, of two forks.

    PSPNet's, with any of slope_filler, bias_filler, momentum, eps and frozen, or no field at all:
    in TRAIN mean and var are the batch's, and running averages are updated, average = momentum
    average + (1 - momentum) batch; in TEST, or frozen, they are those averages.

    SegNet's and ENet's, with any of scale_filler, shift_filler and bn_mode: LEARN takes the
    batch's mean and var in TEST too; INFERENCE is y = s x + b, with statistics already in s and b.

    Gradients: ds = sum(dy h) with h = (x - mean) / sqrt(var + eps), db = sum(dy), and
    dx = s (dy - mean(dy) - h mean(dy h)) / sqrt(var + eps); s dy / sqrt(var + eps) where mean and
    var are given; s dy with INFERENCE, where h is x.

    Bottom:
        0: x, N x C x ...
    Top:
        0: y, the shape of x.
        1 and 2 (optional, LEARN): the batch's mean and var, 1 x C x 1 x 1.
    Params:
        0: s, 1 x C x 1 x 1.
        1: b, 1 x C x 1 x 1.
        2 and 3, of PSPNet's: running mean and var, 1 x C x 1 x 1. Not updated by the solver; nor s
        and b if frozen.
    Spec:
        bn_param: slope_filler (constant 0), bias_filler (constant 0), momentum (0.9), eps (1e-5),
        frozen (false); or scale_filler (constant 0), shift_filler (constant 0), bn_mode (LEARN).
        engine, and icnet: true of Synopsys' fork, are accepted and ignored.
    Raises:
        LayerError: for fields of both forks, icnet: false, a momentum outside 0 to 1, an eps that
        is not above 0, more tops where they are not LEARN's, a bottom of fewer than 2 axes.
    Differs:
        BVLC Caffe has no such layer. The forks take 4 axes. PSPNet's fork with cuDNN keeps var
        times m / (m - 1), on the CPU as here var itself.
    """

    traits = Traits(
        backward_reads=frozenset({Reads.BOTTOMS}),
        in_place=True,
        low_precision=LowPrecision.WITH_BOTTOMS,
        in_kernels=True,
    )
    tops = (1, 3)

    def setup(self) -> None:
        param = self.spec.bn_param
        if param.HasField("icnet") and not param.icnet:
            raise LayerError(
                "icnet: false is another BN, of Synopsys' fork",
                (_PARAM, "icnet"),
                "remove it for the BN of PSPNet, SegNet or ENet",
            )
        running, batch = (
            [name for name in names if param.HasField(name)] for names in (_RUNNING, _BATCH)
        )
        if running and batch:
            raise LayerError(
                f"{running[0]} and {batch[0]} are of different forks",
                (_PARAM, batch[0]),
                "PSPNet's BN has slope_filler, bias_filler, momentum, eps and frozen; SegNet's "
                "scale_filler, shift_filler and bn_mode",
            )
        self.keeps = not batch
        self.direct = not self.keeps and param.bn_mode == BNParameter.INFERENCE
        self.given = self.keeps and (param.frozen or not self.training)
        self.is_affine = self.direct or self.given
        self.eps = float(param.eps) if self.keeps else _BATCH_EPS
        if not 0 <= param.momentum <= 1:
            raise LayerError(
                f"expected momentum of 0 to 1, got {param.momentum:g}", (_PARAM, "momentum")
            )
        if not self.eps > 0:
            raise LayerError(f"expected eps above 0, got {self.eps:g}", (_PARAM, "eps"))
        if len(self.spec.top) > 1:
            self.traits = replace(self.traits, low_precision=LowPrecision.NEVER)
            if self.keeps or self.direct:
                raise LayerError(
                    "only LEARN gives the batch's mean and variance as further tops", ("top", 1)
                )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        if len(shapes[0]) < 2:
            raise LayerError(
                f"expected a bottom of at least 2 axes, N x C x ..., got {shape_text(shapes[0])}",
                ("bottom", 0),
            )
        return [shapes[0], *[(1, shapes[0][1], 1, 1)] * (len(self.spec.top) - 1)]

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        param, shape = self.spec.bn_param, (1, shapes[0][1], 1, 1)
        names = _RUNNING[:2] if self.keeps else _BATCH[:2]
        weights = [filled_weight(shape, getattr(param, name), (_PARAM, name)) for name in names]
        if not self.keeps:
            return weights
        if param.frozen:
            weights = [Weight(shape, weight.filler, 0.0, 0.0) for weight in weights]
        variance = FillerParameter(value=1.0 if param.frozen else 0.0)
        return [
            *weights,
            Weight(shape, None, 0.0, 0.0),
            Weight(shape, variance, 0.0, 0.0),
        ]

    def build(self, shapes: Sequence[Shape]) -> None:
        items, channels, places = _split_shape(shapes[0])
        self._kernel, _ = moments_of(self, items, channels, places, self.eps)
        self._running = RunningStatistics.make(
            self.device, self.real, channels, float(self.spec.bn_param.momentum), True, 1.0
        )
        self._mean, self._var, self._inverse, self._factor, self._shift = (
            self.scratch((channels,), self.real) for _ in range(5)
        )
        self._weight = self.scratch((1,), self.real)
        self._weight.fill(1)
        if self.direct:
            self._mean.fill(0)
            self._inverse.fill(1)

    def affine(self) -> tuple[Array, Array | None]:
        scale, bias, *averages = (param.data.reshape(-1) for param in self.params)
        if self.direct:
            return scale, bias
        self.xp.copyto(self._mean, averages[0])
        self._kernel.invert(averages[1], self._inverse)
        self._kernel.fold(self._mean, self._inverse, scale, bias, self._factor, self._shift)
        return self._factor, self._shift

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        kernel, (x, *_), (y, *more) = self._kernel, bottoms, tops
        if self.is_affine:
            factor, shift = self.affine()
            assert shift is not None
            kernel.forward_inference(x, factor, shift, y)
            return
        scale, bias, *averages = (param.data.reshape(-1) for param in self.params)
        kernel.forward_train(x, scale, bias, y, self._mean, self._var, self._inverse)
        if averages:
            means, variances = averages
            self._running.add(self._mean, self._var, means, variances, self._weight)
        for top, statistic in zip(more, (self._mean, self._var), strict=False):
            self.xp.copyto(top.reshape(-1), statistic)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        scale, bias = self.params[:2]
        dscale, dbias = (
            param.diff.reshape(-1) if param.wanted and param.diff is not None else None
            for param in (scale, bias)
        )
        self._kernel.backward(
            dtops[0],
            bottoms[0],
            scale.data.reshape(-1),
            bias.data.reshape(-1),
            self._mean,
            self._inverse,
            dbottoms[0],
            dscale,
            dbias,
            fixed=self.is_affine,
        )


def _split_shape(shape: Shape) -> tuple[int, int, int]:
    """Items, channels and positions per channel."""
    return shape[0], shape[1], math.prod(shape[2:])
